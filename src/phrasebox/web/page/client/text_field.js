// A labelled field that keeps what is being typed whatever the server redraws meanwhile.
export default {
  template: `
    <div class="field" :class="{ wide }">
      <label :for="'f' + uid" :class="{ unseen: quiet }">{{ label }}</label>
      <textarea v-if="lines" :id="'f' + uid" ref="input" :rows="lines" :placeholder="hint" :maxlength="most" dir="auto"
        v-model="text" @input="typed" @keydown.enter="enter" :aria-keyshortcuts="shortcut || null" :data-key-focus="shortcut || null"
        spellcheck="true"></textarea>
      <input v-else :id="'f' + uid" ref="input" :type="kind" :placeholder="hint" :maxlength="most" v-model="text" dir="auto"
        :min="min" :max="max" :step="step" @input="typed" @keydown.enter="enter" @keydown.escape="left" autocomplete="off"
        :aria-keyshortcuts="shortcut || null" :data-key-focus="shortcut || null">
    </div>`,
  props: {
    value: { default: "" }, label: String, hint: String, lines: Number, kind: { default: "text" }, wait: { default: 250 },
    most: { default: 2000 }, quiet: Boolean, wide: Boolean, min: Number, max: Number, step: Number, shortcut: String,
    remember: String, // name under which this browser keeps the text
  },
  emits: ["typed", "entered", "left"],
  data() { return { text: this.value, uid: this.$.uid }; },
  watch: { value(now) { this.text = now; } },
  mounted() {
    if (!this.remember) return;
    try { this.text = localStorage.getItem(this.remember) ?? ""; } catch { /* storage is refused */ }
    if (this.text) this.$emit("entered", this.text);
  },
  unmounted() { clearTimeout(this.later); },
  methods: {
    typed() {
      try { if (this.remember) localStorage.setItem(this.remember, this.text); } catch { /* storage is refused */ }
      clearTimeout(this.later);
      this.later = setTimeout(() => this.$emit("typed", String(this.text ?? "")), this.wait);
    },
    enter(event) {
      if (event.shiftKey || event.isComposing) return;
      event.preventDefault();
      clearTimeout(this.later);
      this.$emit("entered", String(this.text ?? ""));
    },
    left() { this.$refs.input.blur(); this.$emit("left"); },
    put(text) { this.text = text; },
    focus() { this.$nextTick(() => { this.$refs.input.focus(); this.$refs.input.select(); }); },
  },
};
