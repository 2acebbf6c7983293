// One table of measurements. Heads: {text, right}; rows of texts.
export default {
  template: `
    <div class="sheet" tabindex="0" role="region" :aria-label="title"><table>
      <caption>{{ title }}<small v-if="more" class="soft">{{ more }}</small></caption>
      <thead><tr><th v-for="(h, i) in heads" :key="i" scope="col" :class="{ r: h.right }">{{ h.text }}</th></tr></thead>
      <tbody><tr v-for="(row, n) in rows" :key="n"><td v-for="(cell, i) in row" :key="i" :class="{ r: heads[i].right }">{{ cell }}</td></tr></tbody>
    </table></div>`,
  props: { title: String, more: String, heads: { type: Array, default: () => [] }, rows: { type: Array, default: () => [] } },
};
