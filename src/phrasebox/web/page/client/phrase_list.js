// Phrases with what they are worth. Items: {p: id, k: colour, no, text, score, share: 0 to 1}.
export default {
  template: `
    <ul class="pairs"><li v-for="item in items" :key="item.p"><button type="button" class="pair" :class="'k' + item.k" :data-p="item.p"
      :aria-pressed="item.p === chosen ? 'true' : null" :aria-label="item.name" @click="$emit('picked', item.p)">
      <span class="no" aria-hidden="true">{{ item.no }}</span><span dir="auto">{{ item.text }}</span>
      <span class="bar" aria-hidden="true"><i :style="{ '--share': item.share }"></i></span><small>{{ item.score }}</small></button></li></ul>`,
  props: { items: { type: Array, default: () => [] }, chosen: { default: null } },
  emits: ["picked"],
};
