// Goal: figures are told in the text format that Prometheus reads, whatever is in their labels.

import { expect, test } from "vitest";
import { Histogram, MetricsPort, metricsText } from "../src/index.ts";

function none(): undefined {
  return undefined;
}

test("a table of metrics as text", () => {
  const text = metricsText([
    { name: "a_bytes", type: "gauge", help: "Of a.", samples: () => 5 },
    {
      name: "b_total",
      type: "counter",
      help: "Of b.",
      samples: () => [{ labels: { topic: 'say "a\\b"\n', node: 2 }, value: 1.5 }],
    },
  ]);

  expect(text).toBe(
    [
      "# HELP a_bytes Of a.",
      "# TYPE a_bytes gauge",
      "a_bytes 5",
      "# HELP b_total Of b.",
      "# TYPE b_total counter",
      String.raw`b_total{topic="say \"a\\b\"\n",node="2"} 1.5`,
      "",
    ].join("\n"),
  );
});

test("a histogram counts what is not larger than each bound", () => {
  const histogram = new Histogram([1, 2]);
  for (const value of [0.5, 1, 1.5, 7]) histogram.observe(value);

  const text = metricsText([
    { name: "c", type: "histogram", help: "Of c.", samples: () => histogram.samples() },
  ]);

  expect(text.split("\n").slice(2, -1)).toEqual([
    'c_bucket{le="1"} 2',
    'c_bucket{le="2"} 3',
    'c_bucket{le="+Inf"} 4',
    "c_sum 10",
    "c_count 4",
  ]);
});

test("a port tells figures of the process, how that is, and nothing else", async () => {
  let illness: string | undefined;
  let unreadiness: string | undefined = "not yet";
  const port = await MetricsPort.open({
    listen: "127.0.0.1:0",
    metrics: [{ name: "a", type: "gauge", help: "Of a.", samples: () => 1 }],
    illness: () => illness,
    unreadiness: () => unreadiness,
    onDefect: (error) => {
      throw error;
    },
  });
  const ask = async (path: string, method = "GET"): Promise<[number, string]> => {
    const reply = await fetch(`http://127.0.0.1:${port.port}${path}`, { method });
    return [reply.status, await reply.text()];
  };

  const [status, text] = await ask("/metrics");
  expect(status).toBe(200);
  for (const line of [
    /^a 1$/mu,
    /^process_resident_memory_bytes \d+$/mu,
    /^process_cpu_seconds_total [\d.]+$/mu,
    /^nodejs_eventloop_delay_seconds\{quantile="0.99"\} [\d.e-]+$/mu,
  ])
    expect(text).toMatch(line);
  expect(await ask("/health")).toEqual([200, "ok\n"]);
  expect(await ask("/ready?verbose")).toEqual([503, "not yet\n"]);
  unreadiness = undefined;
  expect(await ask("/ready")).toEqual([200, "ok\n"]);
  illness = "it has stopped";
  expect(await ask("/health")).toEqual([503, "it has stopped\n"]);
  expect(await ask("/ready")).toEqual([503, "it has stopped\n"]);
  expect((await ask("/"))[0]).toBe(404);
  expect((await ask("/metrics", "POST"))[0]).toBe(405);
  const same = { listen: `127.0.0.1:${port.port}`, metrics: [], onDefect: () => undefined };
  await expect(MetricsPort.open({ ...same, illness: none, unreadiness: none })).rejects.toThrow(
    /^metrics: cannot listen on 127.0.0.1:/u,
  );
  await port.close();
});
