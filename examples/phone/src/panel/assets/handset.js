// The browser as the handset: microphone and ear over a WebSocket, 16-bit little-endian PCM, 16 kHz, 20 ms a message.

const RATE = 16000;
// Frames that may wait in the socket before new ones are dropped: old sound is worth nothing.
const MOST_BUFFERED = 640 * 10;

const LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

export class Handset {
  // `report(state, text)` tells how it goes; `levels({mic, ear, …})` comes twenty times a second.
  constructor(report, levels) {
    this.report = report;
    this.levels = levels;
    this.phone = null;
    this.socket = null;
    this.context = null;
    this.starting = null;
    // Set once frames can be played: only then may the socket bring some.
    this.ready = false;
    this.microphone = "none";
    this.stats = { sent: 0, received: 0, dropped: 0 };
  }

  // Speaks and listens through this phone.
  use(phone) {
    this.phone = phone;
    if (this.ready) this.connect();
  }

  // Switches the sound on; browsers allow it only after a click or a key press.
  start() {
    if (this.context?.state === "suspended") this.context.resume();
    this.starting ??= this.open().catch((error) => {
      this.starting = null;
      this.report("failed", `No sound: ${error.message}`);
    });
    return this.starting;
  }

  async open() {
    this.report("off", "Switching the sound on …");
    const options = new URLSearchParams(location.search);
    let stream = null;
    try {
      if (!navigator.mediaDevices) throw new Error("this browser gives no microphone to this page");
      const echoCancellation = options.get("aec") !== "0";
      stream = await navigator.mediaDevices.getUserMedia({
        audio: { channelCount: 1, echoCancellation, noiseSuppression: false, autoGainControl: false },
      });
      this.microphone = "on";
    } catch (error) {
      this.microphone = "refused";
      this.refusal = error.name === "NotFoundError" ? "there is none" : error.message || error.name;
    }
    // Rates in the order of preference; some browsers cannot join a microphone to a context of another rate.
    for (const sampleRate of [RATE, undefined]) {
      try {
        await this.build(sampleRate, stream);
        break;
      } catch (error) {
        await this.context?.close();
        this.context = null;
        if (sampleRate === undefined) throw error;
      }
    }
    await this.context.resume();
    if (this.microphone === "on") this.report("on", "Microphone and ear are on");
    else this.report("listen", `You hear, but the microphone is off (${this.refusal})`);
    this.ready = true;
    this.connect();
  }

  async build(sampleRate, stream) {
    this.context = new AudioContext({ latencyHint: "interactive", ...(sampleRate && { sampleRate }) });
    await this.context.audioWorklet.addModule("/assets/worklet.js");
    this.node = new AudioWorkletNode(this.context, "handset", { numberOfInputs: 1, numberOfOutputs: 1, outputChannelCount: [1] });
    if (stream) this.context.createMediaStreamSource(stream).connect(this.node);
    this.node.connect(this.context.destination);
    this.node.port.onmessage = ({ data }) => {
      if (data instanceof ArrayBuffer) this.send(data);
      else this.levels({ ...data, dropped: this.stats.dropped });
    };
  }

  connect() {
    this.socket?.close();
    const socket = new WebSocket(`ws://${location.host}/audio/${this.phone}`);
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => {
      if (!(data instanceof ArrayBuffer)) return;
      this.stats.received++;
      const frame = swap(data);
      this.node.port.postMessage(frame, [frame]);
    };
    socket.onclose = ({ code }) => {
      if (this.socket !== socket) return;
      // 4001: another window took the handset; it is taken back with the next key press.
      if (code === 4001) {
        this.socket = null;
        this.report("off", "The handset is in use in another window");
      } else {
        setTimeout(() => this.socket === socket && this.connect(), 1000);
      }
    };
    this.socket = socket;
  }

  // Takes the handset back when another window had it.
  retake() {
    if (this.ready && !this.socket) {
      this.report(this.microphone === "on" ? "on" : "listen", this.microphone === "on" ? "Microphone and ear are on" : "You hear, but the microphone is off");
      this.connect();
    }
  }

  send(frame) {
    if (this.socket?.readyState !== WebSocket.OPEN) return;
    if (this.socket.bufferedAmount > MOST_BUFFERED) {
      this.stats.dropped++;
      return;
    }
    this.socket.send(swap(frame));
    this.stats.sent++;
  }
}

// The wire is little-endian, whatever the machine is.
function swap(buffer) {
  if (LITTLE_ENDIAN) return buffer;
  const view = new DataView(buffer);
  for (let at = 0; at + 1 < view.byteLength; at += 2) view.setInt16(at, view.getInt16(at, true), false);
  return buffer;
}
