// The phrases under review, one of them current. Items: {id, text, more, score, state, src}.
export default {
  template: `
    <ul class="work" role="listbox" :aria-label="label" tabindex="0" ref="list" :aria-activedescendant="current == null ? null : 'w' + uid + '-' + current"
      @keydown.down.prevent="step(1)" @keydown.up.prevent="step(-1)" @keydown.home.prevent="go(0)" @keydown.end.prevent="go(items.length - 1)">
      <li v-for="item in items" :key="item.id" :id="'w' + uid + '-' + item.id" role="option" :aria-selected="item.id === current"
        :class="['work-item', item.state]" @click="$emit('chosen', item.id)">
        <img :src="item.src" alt="" loading="lazy" width="44" height="44">
        <span class="work-text"><b dir="auto">{{ item.text }}</b><small dir="auto">{{ item.more }}</small></span>
        <span class="work-mark"><span class="state" :class="item.state">{{ item.mark }}</span><small>{{ item.score }}</small></span>
      </li>
    </ul>`,
  props: { items: { type: Array, default: () => [] }, current: { default: null }, label: String },
  emits: ["chosen"],
  data() { return { uid: this.$.uid }; },
  watch: { current: "show", items: "show" },
  methods: {
    step(by) { this.go(this.items.findIndex((i) => i.id === this.current) + by); },
    go(place) { const item = this.items[place]; if (item) this.$emit("chosen", item.id); },
    show() {
      this.$nextTick(() => {
        const item = this.$refs.list?.querySelector("[aria-selected=true]"), list = this.$refs.list;
        if (!item) return;
        const above = item.offsetTop - list.scrollTop, under = above + item.offsetHeight - list.clientHeight;
        if (above < 0) list.scrollTop += above; else if (under > 0) list.scrollTop += under;
      });
    },
  },
};
