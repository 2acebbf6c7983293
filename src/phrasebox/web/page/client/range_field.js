// A labelled slider over given stops; what it says is there before the server answers.
export default {
  template: `
    <div class="range">
      <div class="range-head"><label :for="'r' + uid">{{ label }}</label><output :for="'r' + uid">{{ (stops[place]?.text ?? '') }}</output></div>
      <input type="range" :key="stops.length" :id="'r' + uid" min="0" :max="stops.length - 1" step="1" v-model.number="place" :style="{ '--at': share }"
        :aria-valuetext="(stops[place]?.text ?? '')" @input="$emit('moved', place)" @change="$emit('moved', place)">
      <div class="range-ends" aria-hidden="true" v-if="low"><span>{{ low }}</span><span>{{ high }}</span></div>
    </div>`,
  props: { value: { default: 0 }, label: String, stops: { type: Array, default: () => [{ text: "" }] }, low: String, high: String },
  emits: ["moved"],
  data() { return { place: this.value, uid: this.$.uid }; },
  watch: { value(now) { this.place = now; } },
  computed: { share() { return this.stops.length > 1 ? this.place / (this.stops.length - 1) : 0; } },
};
