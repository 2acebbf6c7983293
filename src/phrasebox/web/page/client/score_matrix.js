// Words by regions: scores, each word's best region ringed, the one that the box of its phrase came from underlined.
export default {
  template: `
    <div class="matrix">
      <div class="scroll" tabindex="0" role="region" ref="scroll" aria-label="Scores of words by regions; left and right arrow keys select a region"
        @keydown.left.prevent="look(-1)" @keydown.right.prevent="look(1)" @blur="look(0)">
        <table>
          <thead><tr><th class="note">{{ note }}</th>
            <th v-for="c in columns" :key="c.r" scope="col" :data-r="c.r" :aria-label="c.r === '0' ? 'whole picture' : 'region ' + c.r">
              <span class="crop"><i :style="crop(c)"></i></span>{{ c.r === '0' ? 'all' : c.r }}</th>
            <th scope="col">best</th></tr></thead>
          <tbody><tr v-for="(w, t) in words" :key="t" :class="w.p == null ? null : 'k' + w.k" :data-p="w.p">
            <th scope="row" dir="auto">{{ w.text }}</th>
            <td v-for="(v, i) in w.scores" :key="i" :data-r="columns[i].r" :style="{ '--s': v.strength }"
              :class="{ neg: v.negative, max: v.best, at: v.given }">{{ v.text }}</td>
            <td class="best">{{ w.best }}</td></tr></tbody>
        </table>
      </div>
      <p class="sum">S<sub>kl</sub> = {{ sum }}</p>
    </div>`,
  props: { src: String, width: Number, height: Number, note: String, sum: String, columns: { type: Array, default: () => [] }, words: { type: Array, default: () => [] } },
  data: () => ({ column: -1 }),
  methods: {
    crop(c) {
      const w = c.x2 - c.x1, h = c.y2 - c.y1, scale = 34 / Math.max(w, h);
      return {
        width: `${w * scale}px`, height: `${h * scale}px`, backgroundImage: `url("${this.src}")`,
        backgroundSize: `${this.width * scale}px ${this.height * scale}px`,
        backgroundPosition: `${-c.x1 * scale}px ${-c.y1 * scale}px`,
      };
    },
    look(step) {
      const heads = this.$refs.scroll.querySelectorAll("th[data-r]");
      this.column = step ? Math.min(heads.length - 1, Math.max(0, this.column + step)) : -1;
      const head = heads[this.column];
      head?.scrollIntoView({ block: "nearest", inline: "nearest" });
      this.$refs.scroll.dispatchEvent(new CustomEvent("light", { bubbles: true, detail: head || null }));
    },
  },
};
