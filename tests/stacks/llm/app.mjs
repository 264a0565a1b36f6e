// A Node service that asks language models by OpenAI's own client; as app.py: /ask/{kind}/{name}?fields…, and the same account in APP_TRUTH.
//
// APP_PORT: its own; APP_PROVIDER: the provider's; APP_AUTHORITY: the provider is asked over TLS, with certificates of this authority; APP_HTTP2: HTTP/2,
// which undici's agent speaks when it is allowed to and the server offers it (ALPN, so over TLS only); APP_MODULES: beside the modules.

import fs from 'node:fs';
import http from 'node:http';
import {createRequire} from 'node:module';

const require = createRequire(process.env.APP_MODULES);
const {OpenAI} = require('openai');
const undici = require('undici');

const {APP_PORT, APP_PROVIDER, APP_TRUTH, APP_AUTHORITY, APP_HTTP2} = process.env;
const now = () => Number(process.hrtime.bigint());
const truth = fs.openSync(APP_TRUTH, 'a');
const sent = new Map();

const dispatcher = new undici.Agent({allowH2: Boolean(APP_HTTP2), connect: APP_AUTHORITY ? {ca: fs.readFileSync(APP_AUTHORITY)} : {}});
const client = new OpenAI({
  apiKey: 'k',
  baseURL: `http${APP_AUTHORITY ? 's' : ''}://localhost:${APP_PROVIDER}/gateway/v1`,
  maxRetries: 3,
  fetch: (url, options) => {
    const name = new Headers(options.headers).get('x-call');
    sent.set(name, [...(sent.get(name) ?? []), now()]);
    return undici.fetch(url, {...options, dispatcher});
  },
});

class Told {
  constructor(name, kind) {
    Object.assign(this, {name, kind, first: null, input: null, output: null});
  }
  token(text) {
    if (text && this.first === null) this.first = now();
  }
  usage(usage) {
    if (!usage) return;
    this.input = usage.prompt_tokens ?? usage.input_tokens ?? this.input;
    this.output = usage.completion_tokens ?? usage.output_tokens ?? null;
  }
  write() {
    const line = {call: this.name, kind: this.kind, sent_ns: sent.get(this.name), first_ns: this.first, end_ns: now(), input: this.input, output: this.output};
    sent.delete(this.name);
    fs.writeSync(truth, JSON.stringify(line) + '\n');
  }
}

const KINDS = {
  async chat_stream(told, options, prompt) {
    const stream = await client.chat.completions.create({model: 'm' + told.name, messages: [{role: 'user', content: prompt}], stream: true,
      stream_options: {include_usage: true}}, options);
    for await (const chunk of stream) {
      told.token(chunk.choices[0]?.delta.content);
      told.usage(chunk.usage);
    }
  },
  async chat(told, options, prompt) {
    told.usage((await client.chat.completions.create({model: 'm' + told.name, messages: [{role: 'user', content: prompt}]}, options)).usage);
  },
  async completions(told, options, prompt) {
    told.usage((await client.completions.create({model: 'm' + told.name, prompt}, options)).usage);
  },
  async responses_stream(told, options, prompt) {
    for await (const event of await client.responses.create({model: 'm' + told.name, input: prompt, stream: true}, options)) {
      told.token(event.type === 'response.output_text.delta' && event.delta);
      told.usage(event.type === 'response.completed' && event.response.usage);
    }
  },
  async responses(told, options, prompt) {
    told.usage((await client.responses.create({model: 'm' + told.name, input: prompt}, options)).usage);
  },
  async embeddings(told, options, prompt) {
    told.usage((await client.embeddings.create({model: 'm' + told.name, input: prompt, encoding_format: 'float'}, options)).usage);
  },
  async images(told, options, prompt) {
    await client.images.generate({model: 'm' + told.name, prompt}, options);
  },
};

http.createServer(async (request, response) => {
  const url = new URL(request.url, 'http://service');
  const [, , kind, name] = url.pathname.split('/');
  const fields = [...url.searchParams].filter(([field]) => field !== 'prompt').map(([field, value]) => [`x-${field}`, value]);
  const prompt = 'Why? '.repeat(Number(url.searchParams.get('prompt') ?? 50) / 5);
  const told = new Told(name, kind);
  try {
    await KINDS[kind](told, {headers: {...Object.fromEntries(fields), 'x-call': name}}, prompt);
    told.write();
    response.end(JSON.stringify({output: told.output}));
  } catch (error) {
    console.error(error);
    response.writeHead(500).end();
  }
}).listen(Number(APP_PORT), '127.0.0.1');
