// What the npm package faktory-worker makes of the node at PORT: a line of JSON per step.
const faktory = require('faktory-worker');
const say = (step, value) => console.log(JSON.stringify({ step, value }));
const until = async (check) => { while (!(await check())) await new Promise((r) => setTimeout(r, 20)); };

(async () => {
  const options = { host: '127.0.0.1', port: Number(process.argv[2]), queue: 'node', queues: ['node'] };
  const client = await faktory.connect(options);
  const jobs = (name, count) => Array.from({ length: count }, (_, i) => Object.assign(client.job(name, i, { deep: [i] }), { queue: 'node' }));

  for (const job of jobs('Add', 10)) await job.push();
  say('pushBulk', await client.pushBulk(jobs('Add', 90)));
  const sum = { count: 0, total: 0, failed: [] };
  faktory.register('Add', async (i, more) => { sum.count++; sum.total += i + more.deep[0]; });
  faktory.register('Fail', async () => { throw new Error('on purpose'); });
  const worker = await faktory.work({ ...options, concurrency: 8, wid: 'node-worker-1' });
  worker.on('fail', ({ error }) => sum.failed.push(error.message));
  await until(() => sum.count === 100);
  say('worked', [sum.count, sum.total]);

  const failing = Object.assign(client.job('Fail'), { queue: 'node', retry: 25 });
  await failing.push();
  await until(async () => (await client.info()).tasks?.Retries?.size === 1 || (await client.info()).faktory.tasks.Retries.size === 1);
  await until(() => sum.failed.length > 0); // the node has it before the client says so
  say('failed', sum.failed);
  await client.retries.withJids(failing.jid).discard();
  say('retries', (await client.info()).faktory.tasks.Retries.size);

  const later = Object.assign(client.job('Later'), { queue: 'node', at: new Date(Date.now() + 3600e3).toISOString() });
  await later.push();
  say('scheduled', (await client.info()).faktory.tasks.Scheduled.size);
  await client.scheduled.ofType('Later').kill();
  say('dead', (await client.info()).faktory.tasks.Dead.size);
  await client.dead.clear();
  say('cleared', (await client.info()).faktory.tasks.Dead.size);

  await worker.stop();
  say('stopped', (await client.info()).faktory.tasks.Busy.size);
  await client.close();
  process.exit(0);
})().catch((e) => { say('error', String(e.stack || e)); process.exit(1); });
