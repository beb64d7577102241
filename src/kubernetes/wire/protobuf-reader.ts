/** Reads protobuf's wire format: tags, numbers and length-delimited fields, from a part of a buffer. */
import { DecodeError } from "./scalars.js";

/** Wire types of protobuf. The group types of the first version are not used by Kubernetes. */
const VARINT = 0;
const FIXED64 = 1;
export const LENGTH = 2;
const FIXED32 = 5;

export class Reader {
  wireType = VARINT;

  constructor(
    private readonly buffer: Buffer,
    private at: number,
    private readonly end: number,
  ) {}

  get done(): boolean {
    return this.at >= this.end;
  }

  /** Field number of the next field; its wire type is then in `wireType`. */
  tag(): number {
    const key = this.varint();
    this.wireType = key & 7;
    const number = key >>> 3;
    if (number === 0) throw new DecodeError("proto: illegal tag 0");
    return number;
  }

  /** A 64-bit number as a double: exact up to 2^53, negative numbers in two's complement. */
  varint(): number {
    const first = this.buffer[this.at];
    // Most numbers, and all tags of low fields, are a single byte.
    if (first !== undefined && first < 0x80 && this.at < this.end) {
      this.at++;
      return first;
    }
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.at >= this.end) throw unexpectedEnd();
      const byte = this.buffer[this.at++] as number;
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high = bits >>> 4;
      } else high |= shift < 64 ? bits << (shift - 32) : 0;
      if (byte < 0x80) return high === 0 ? low >>> 0 : (high | 0) * 2 ** 32 + (low >>> 0);
    }
    throw new DecodeError("proto: integer overflow");
  }

  /** The value of a varint field. */
  integer(): number {
    if (this.wireType !== VARINT) throw new DecodeError(`proto: wrong wireType = ${this.wireType}`);
    return this.varint();
  }

  double(): number {
    if (this.wireType !== FIXED64) throw new DecodeError(`proto: wrong wireType = ${this.wireType}`);
    if (this.at + 8 > this.end) throw unexpectedEnd();
    const value = this.buffer.readDoubleLE(this.at);
    this.at += 8;
    return value;
  }

  bytes(): Buffer {
    const start = this.enter();
    return this.buffer.subarray(start, this.at);
  }

  text(): string {
    const start = this.enter();
    return start === this.at ? "" : this.buffer.toString("utf8", start, this.at);
  }

  /** A reader over the length-delimited field that comes next. */
  nested(): Reader {
    const start = this.enter();
    return new Reader(this.buffer, start, this.at);
  }

  /** Steps over the length-delimited field that comes next; returns where its contents begin. They end where the reader then stands. */
  private enter(): number {
    if (this.wireType !== LENGTH) throw new DecodeError(`proto: wrong wireType = ${this.wireType}`);
    const length = this.varint();
    const start = this.at;
    if (length < 0 || start + length > this.end) throw unexpectedEnd();
    this.at = start + length;
    return start;
  }

  skip(): void {
    if (this.wireType === VARINT) this.varint();
    else if (this.wireType === LENGTH) this.enter();
    else if (this.wireType === FIXED64) this.at += 8;
    else if (this.wireType === FIXED32) this.at += 4;
    else throw new DecodeError(`proto: illegal wireType ${this.wireType}`);
    if (this.at > this.end) throw unexpectedEnd();
  }
}

const unexpectedEnd = (): DecodeError => new DecodeError("unexpected EOF");
