// Lines over epochs, in the width there is. Lines: {name, k: colour, values: [number or null]}.
const PAD = { left: 46, right: 12, top: 10, bottom: 30 };

export default {
  template: `
    <figure class="chart">
      <figcaption><b>{{ title }}</b><span v-for="line in lines.length > 1 ? lines : []" :key="line.name" class="key" :class="'k' + line.k"><i></i>{{ line.name }}</span></figcaption>
      <svg ref="svg" :viewBox="'0 0 ' + wide + ' ' + high" role="img" :aria-label="told" @pointermove="seek" @pointerleave="at = null">
        <g class="grid"><template v-for="t in ticks" :key="t"><line :x1="left" :x2="wide - 12" :y1="y(t)" :y2="y(t)"/>
          <text :x="left - 8" :y="y(t)" class="end">{{ text(t) }}</text></template>
          <text v-for="e in marks" :key="'e' + e" :x="x(e)" :y="high - 10" class="mid">{{ e + 1 }}</text>
        </g>
        <g v-for="line in lines" :key="line.name" :class="'k' + line.k"><path class="line" :d="path(line.values)"/>
          <circle v-for="(v, e) in line.values" :key="e" v-show="v != null && (count < 30 || e === at)" class="dot" :cx="x(e)" :cy="v == null ? 0 : y(v)" :r="e === at ? 4.5 : 2.5"/></g>
        <line v-if="at !== null" class="cursor" :x1="x(at)" :x2="x(at)" y1="10" :y2="high - 30"/>
      </svg>
      <p class="reading" aria-hidden="true">{{ reading }}</p>
    </figure>`,
  props: { title: String, lines: { type: Array, default: () => [] }, unit: { default: "epoch" } },
  data: () => ({ wide: 480, high: 220, left: PAD.left, at: null }),
  computed: {
    count() { return Math.max(...this.lines.map((l) => l.values.length)); },
    span() {
      const all = this.lines.flatMap((l) => l.values).filter((v) => v != null);
      const low = Math.min(...all), high = Math.max(...all), room = (high - low || Math.abs(high) || 1) * 0.06;
      return [low >= 0 && low < (high - low) * 0.6 ? 0 : low - room, high + room];
    },
    ticks() {
      const [low, high] = this.span, raw = (high - low) / 4, ten = 10 ** Math.floor(Math.log10(raw));
      const step = [1, 2, 2.5, 5, 10].map((n) => n * ten).find((n) => n >= raw);
      return Array.from({ length: Math.floor(high / step) - Math.ceil(low / step) + 1 }, (_, i) => (Math.ceil(low / step) + i) * step);
    },
    marks() {
      const every = Math.max(1, Math.ceil(this.count / Math.max(2, Math.floor(this.wide / 70))));
      return Array.from({ length: this.count }, (_, e) => e).filter((e) => e % every === 0);
    },
    told() {
      return `${this.title} by ${this.unit}. ` + this.lines.map((l) => `${l.name}: from ${this.text(l.values[0])} to ${this.text(l.values.at(-1))} in ${l.values.length}`).join("; ");
    },
    reading() {
      return this.at === null ? `${this.count} ${this.unit}${this.count === 1 ? "" : "s"}`
        : `${this.unit} ${this.at + 1} — ` + this.lines.map((l) => `${l.name} ${this.text(l.values[this.at])}`).join(", ");
    },
  },
  mounted() {
    this.observer = new ResizeObserver(() => { this.wide = Math.max(220, this.$refs.svg.parentElement.clientWidth); });
    this.observer.observe(this.$refs.svg.parentElement);
  },
  unmounted() { this.observer.disconnect(); },
  methods: {
    x(e) { return PAD.left + (this.count > 1 ? e / (this.count - 1) : 0.5) * (this.wide - PAD.left - PAD.right); },
    y(v) { const [low, high] = this.span; return PAD.top + (1 - (v - low) / (high - low)) * (this.high - PAD.top - PAD.bottom); },
    path(values) {
      let pen = "M";
      return values.map((v, e) => { if (v == null) { pen = "M"; return ""; } const p = `${pen}${this.x(e).toFixed(1)} ${this.y(v).toFixed(1)}`; pen = "L"; return p; }).join("");
    },
    text(v) { return v == null ? "n/a" : Math.abs(v) >= 100 ? v.toFixed(0) : Math.abs(v) >= 0.01 || !v ? +v.toPrecision(3) + "" : v.toExponential(1); },
    seek(event) {
      const frame = this.$refs.svg.getBoundingClientRect();
      const share = ((event.clientX - frame.left) / frame.width * this.wide - PAD.left) / (this.wide - PAD.left - PAD.right);
      this.at = Math.min(this.count - 1, Math.max(0, Math.round(share * (this.count - 1))));
    },
  },
};
