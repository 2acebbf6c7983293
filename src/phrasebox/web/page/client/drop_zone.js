// Where a photograph is dropped, pasted or chosen; it is sent to `url`, and what the server says is passed on.
export default {
  template: `
    <div class="drop" :class="{ over, sending }" @dragenter.prevent="over = true" @dragover.prevent="over = true"
      @dragleave="leave" @drop.prevent="dropped" ref="zone">
      <slot></slot>
      <label class="button" :class="main ? 'main' : 'plain'"><input class="unseen" type="file" accept="image/*" @change="chosen" :aria-label="label">
        <span aria-hidden="true">{{ label }}</span></label>
      <p v-if="sending" class="sending" role="status"><i class="spin"></i>Sending {{ name }} …</p>
      <p v-if="over" class="drop-here" aria-hidden="true">Drop the photograph here</p>
    </div>`,
  props: { url: String, label: String, most: Number, main: Boolean },
  emits: ["sent", "refused"],
  data: () => ({ over: false, sending: false, name: "" }),
  mounted() { window.addEventListener("paste", this.pasted); },
  unmounted() { window.removeEventListener("paste", this.pasted); },
  methods: {
    leave(event) { if (!this.$refs.zone.contains(event.relatedTarget)) this.over = false; },
    dropped(event) { this.over = false; this.send(event.dataTransfer.files[0]); },
    chosen(event) { this.send(event.target.files[0]); event.target.value = ""; },
    pasted(event) {
      const file = event.clipboardData?.files[0];
      if (file && this.$refs.zone.offsetParent !== null) { event.preventDefault(); this.send(file); }
    },
    async send(file) {
      if (!file || this.sending) return;
      if (this.most && file.size > this.most) {
        const mb = (bytes) => (bytes / 1e6).toFixed(1);
        this.$emit("refused", `${file.name} has ${mb(file.size)} MB; give a photograph of ${mb(this.most)} MB at most`);
        return;
      }
      this.sending = true;
      this.name = file.name;
      try {
        const form = new FormData();
        form.append("image", file);
        const answer = await fetch((window.path_prefix || "") + this.url, { method: "POST", body: form });
        if (answer.ok) this.$emit("sent", file.name);
        else this.$emit("refused", (await answer.json().catch(() => ({}))).error || `the server answered ${answer.status}`);
      } catch {
        this.$emit("refused", "the photograph did not arrive; is the server still running?");
      } finally {
        this.sending = false;
      }
    },
  },
};
