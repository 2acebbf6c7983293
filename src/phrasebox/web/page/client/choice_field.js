// A labelled choice among a few. Options: [value, text].
export default {
  template: `
    <div class="field"><label :for="'s' + uid">{{ label }}</label>
      <select :id="'s' + uid" v-model="chosen" @change="$emit('chose', chosen)"><option v-for="o in options" :key="o[0]" :value="o[0]">{{ o[1] }}</option></select></div>`,
  props: { value: { default: "" }, label: String, options: Array },
  emits: ["chose"],
  data() { return { chosen: this.value, uid: this.$.uid }; },
  watch: { value(now) { this.chosen = now; } },
  methods: { put(value) { this.chosen = value; } },
};
