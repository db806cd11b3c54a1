// listeners.mjs -- who hears of events: streams that resume where they broke off, and endpoints that are well, slow, or failing.
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { key } from '../lib.mjs';
import { namedIn, Tally } from './books.mjs';

const heard = new Set(['message.received', 'message.sent']);

/** Reads /api/events for ever; `restless` breaks off now and then by itself. Events are counted when they are whole. */
export class Stream {
  lastId = '';
  reconnects = -1;

  constructor(name, port, { restless = 0 } = {}) {
    Object.assign(this, { port, restless, tally: new Tally(name, { ordered: true }) });
    this.open();
  }

  open() {
    this.reconnects++;
    let rest = '', count = 0;
    const socket = this.socket = connect({ port: this.port, host: '127.0.0.1' }, () => socket.write(
      `GET /api/events HTTP/1.1\r\nHost: soak\r\nAuthorization: Bearer ${key}\r\nAccept: text/event-stream\r\n`
      + `${this.lastId ? `Last-Event-ID: ${this.lastId}\r\n` : ''}\r\n`));
    socket.setEncoding('utf8');
    socket.on('error', () => {}).on('close', () => this.over || setTimeout(() => this.open(), 50)).on('data', (text) => {
      const blocks = (rest + text).split('\n\n');
      rest = blocks.pop();
      for (const block of blocks) count += this.take(block);
      if (this.restless && count >= this.restless) {
        this.restless = 0.5 * this.restless + Math.random() * this.restless + 1;
        count = 0;
        rest = '';
        socket.destroy();
      }
    });
  }

  take(block) {
    const id = /(?:^|\n)id: (\S+)/.exec(block)?.[1];
    if (!id) return 0;
    this.lastId = id;
    const type = /\nevent: (\S+)/.exec(`\n${block}`)?.[1], name = heard.has(type) && namedIn(block);
    if (name) this.tally.add(name);
    return 1;
  }

  stop() {
    this.over = true;
    this.socket.destroy();
  }
}

/** An endpoint. `mood()` says how the next delivery is answered: { status, wait, cut }. Counted is what was answered with 200. */
export class Endpoint {
  attempts = 0;
  refused = 0;

  constructor(name, mood = () => ({}), options = {}) {
    this.tally = new Tally(name, options);
    this.server = createServer((request, response) => {
      const pieces = [];
      request.on('data', (d) => pieces.push(d)).on('end', () => {
        const { status = 200, wait = 0, cut = false } = mood(), text = Buffer.concat(pieces).toString();
        const answer = () => {
          this.attempts++;
          if (cut) return void (this.refused++, request.socket.destroy());
          const name = status === 200 && heard.has(/"type":"([^"]+)"/.exec(text)?.[1]) && namedIn(text);
          if (name) this.tally.add(name);
          this.refused += status !== 200;
          response.writeHead(status).end('{}');
        };
        if (wait) setTimeout(answer, wait);
        else answer();
      });
    }).listen(0, '127.0.0.1');
    this.ready = new Promise((resolve) => this.server.on('listening', resolve));
  }

  get url() {
    return `http://127.0.0.1:${this.server.address().port}/`;
  }

  stop() {
    this.server.closeAllConnections();
    this.server.close();
  }
}
