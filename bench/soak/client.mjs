// client.mjs -- HTTP for the soak: kept connections, one request at a time on each, and as little work a request as can be. A request
// whose connection broke before its answer was whole ends with a Lost.
import { connect } from 'node:net';

export class Lost extends Error {}

class Line {
  constructor(port, gone) {
    this.pieces = [];
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.socket.on('data', (d) => this.data(d)).on('error', (e) => (this.error = e)).on('close', () => {
      gone(this);
      this.waiting?.reject(new Lost(this.error?.message ?? 'closed'));
      this.waiting = null;
    });
  }

  ask(text, body) {
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject };
      this.socket.write(text);
      if (body) this.socket.write(body);
    });
  }

  data(d) {
    this.pieces.push(d);
    const all = this.pieces.length === 1 ? d : Buffer.concat(this.pieces);
    this.pieces = [all];
    const end = all.indexOf('\r\n\r\n');
    if (end < 0) return;
    const head = all.toString('latin1', 0, end);
    const length = /\r\ncontent-length: *(\d+)/i.exec(head);
    const size = end + 4 + (length ? Number(length[1]) : 0);
    if (all.length < size) return;
    this.pieces = [];
    const { resolve } = this.waiting;
    this.waiting = null;
    this.closes = /\r\nconnection: *close/i.test(head);
    resolve({ status: Number(head.slice(9, 12)), body: all.subarray(end + 4, size) });
  }
}

export class Client {
  constructor(port, headers = '') {
    Object.assign(this, { port, headers, free: [], lines: new Set() });
  }

  async ask(method, path, body = null, headers = '') {
    let line = this.free.pop();
    if (!line) {
      line = new Line(this.port, (one) => {
        this.lines.delete(one);
        this.free = this.free.filter((other) => other !== one);
      });
      this.lines.add(line);
    }
    const type = typeof body === 'string' ? 'Content-Type: application/json\r\n' : '';
    const length = body ? `Content-Length: ${Buffer.byteLength(body)}\r\n` : method === 'POST' ? 'Content-Length: 0\r\n' : '';
    const answer = await line.ask(`${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1:${this.port}\r\n${this.headers}${headers}${type}${length}\r\n`, body);
    if (line.closes) line.socket.end();
    else if (!line.socket.destroyed) this.free.push(line);
    return answer;
  }

  /** The answer as JSON; anything but a success is an error. */
  async json(method, path, body, headers) {
    const answer = await this.ask(method, path, body === undefined ? null : Buffer.isBuffer(body) ? body : JSON.stringify(body), headers);
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.body}`);
    return JSON.parse(answer.body);
  }

  close() {
    for (const line of this.lines) line.socket.destroy();
  }
}
