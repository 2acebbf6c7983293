// The segments of a decoded sentence: neighbouring words that share a region. Pieces: {text} or {text, r: region, k: colour}.
export default {
  template: `
    <p class="ribbon" dir="auto"><template v-for="piece in pieces"><template v-if="piece.r == null">{{ piece.text }}</template><span
      v-else class="seg" :class="'k' + piece.k" :data-r="piece.r">{{ piece.text }}<small class="unseen">, {{ piece.name }};</small></span></template></p>`,
  props: { pieces: { type: Array, default: () => [] } },
};
