// Three statements a request on node:http and pg, or none (/health). Environment: BENCH_POSTGRES (URL), BENCH_PORT.
import http from 'node:http';
import { createRequire } from 'node:module';

// The packages are in build/node, not beside this file.
const pg = createRequire(process.env.BENCH_MODULES + '/')('pg');
const pool = new pg.Pool({ connectionString: process.env.BENCH_POSTGRES, max: 8 });
const statements = [
  'SELECT name, email FROM customer WHERE id = $1',
  'SELECT id, placed FROM purchase WHERE customer_id = $1 LIMIT 5',
  'SELECT price::float FROM product WHERE id = $1',
];

const server = http.createServer(async (request, response) => {
  let body = 'ok';
  if (request.url !== '/health') {
    const number = Number(request.url.split('/').pop());
    let found = 0;
    for (const statement of statements) found += (await pool.query(statement, [number])).rows.length;
    body = String(found);
  }
  response.writeHead(200, { 'Content-Type': 'text/plain', 'Content-Length': body.length });
  response.end(body);
});
server.keepAliveTimeout = 60000;
server.listen(Number(process.env.BENCH_PORT), '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));
