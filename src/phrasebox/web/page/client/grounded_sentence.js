// A sentence whose phrases have the colours of their boxes. Pieces: {text} or {text, p: id, k: colour, no, score, name}.
export default {
  template: `
    <p class="said" dir="auto"><template v-for="piece in pieces"><template v-if="piece.p == null">{{ piece.text }}</template><span
      v-else class="ph" :class="'k' + piece.k" :data-p="piece.p" :tabindex="piece.name ? 0 : null"
      :role="piece.name ? 'button' : null" :aria-label="piece.name" :title="piece.name"><b v-if="piece.no" class="no"
      aria-hidden="true">{{ piece.no }}</b>{{ piece.text }}<small v-if="piece.score" class="sc">{{ piece.score }}</small></span></template></p>`,
  props: { pieces: { type: Array, default: () => [] } },
};
