// Shifts a process's wall clock by CLOCK_SHIFT milliseconds: loaded before everything else.

const shift = Number(process.env.CLOCK_SHIFT)
const real = Date.now
const RealDate = Date
globalThis.Date = class extends RealDate {
  constructor(...input) {
    if (input.length === 0) super(real() + shift)
    else super(...input)
  }
  static now() {
    return real() + shift
  }
}
