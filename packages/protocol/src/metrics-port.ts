/**
 * A port for those who watch, over HTTP: figures, whether the process lives, and whether it can do
 * its work. It takes no input, and knows no secrets; keep it from strangers all the same.
 */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { TlsOptions } from "node:tls";
import { type Metric, metricsText } from "./metrics.ts";
import { OperationError } from "./operation-error.ts";
import { ProcessMetrics } from "./process-metrics.ts";
import type { RpcTls } from "./rpc-server.ts";

export interface MetricsPortInit {
  /** As `host:port`; port 0 takes a free one. */
  readonly listen: string;
  /** HTTPS, then. */
  readonly tls?: RpcTls | undefined;
  readonly metrics: readonly Metric[];
  /** Why the process should be started anew; `undefined` if it should not. */
  readonly illness: () => string | undefined;
  /** Why it cannot do its work now; `undefined` if it can. */
  readonly unreadiness: () => string | undefined;
  /** Something threw that should not: the process should end. */
  readonly onDefect: (error: unknown) => void;
}

const CONNECTIONS_MAX = 64;
const TIMEOUT_MS = 10_000;
const TEXT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

export class MetricsPort {
  readonly #init: MetricsPortInit;
  readonly #process = new ProcessMetrics();
  readonly #server: Server;
  #port = 0;

  private constructor(init: MetricsPortInit) {
    this.#init = init;
    const onRequest = ({ method, url }: IncomingMessage, response: ServerResponse): void => {
      try {
        this.#answer(method ?? "", url ?? "", response);
      } catch (error) {
        response.destroy();
        init.onDefect(error);
      }
    };
    const options = { requestTimeout: TIMEOUT_MS };
    this.#server =
      init.tls === undefined
        ? createServer(options, onRequest)
        : createTlsServer({ ...options, ...tlsOptionsOf(init.tls) }, onRequest);
    this.#server.maxConnections = CONNECTIONS_MAX;
  }

  /** @throws OperationError `LISTEN_FAILED` if it cannot listen there */
  static async open(init: MetricsPortInit): Promise<MetricsPort> {
    const port = new MetricsPort(init);
    const { listen } = init;
    const at = listen.lastIndexOf(":");
    const host = listen.slice(0, at).replace(/^\[(.*)\]$/u, "$1");
    await new Promise<void>((resolve, reject) => {
      port.#server.once("error", (error) => {
        port.#process.close();
        const problems = [{ field: "metrics", problem: error.message }];
        const message = `metrics: cannot listen on ${listen}: ${error.message}`;
        reject(new OperationError("LISTEN_FAILED", message, { cause: error, problems }));
      });
      port.#server.listen(Number(listen.slice(at + 1)), host, resolve);
    });
    const address = port.#server.address();
    port.#port = typeof address === "object" && address !== null ? address.port : 0;
    return port;
  }

  get port(): number {
    return this.#port;
  }

  async close(): Promise<void> {
    this.#process.close();
    await new Promise<void>((resolve) => {
      this.#server.close(() => {
        resolve();
      });
      this.#server.closeAllConnections();
    });
  }

  #answer(method: string, url: string, response: ServerResponse): void {
    if (method !== "GET" && method !== "HEAD") {
      reply(response, 405, "only GET\n");
      return;
    }
    const { metrics, illness, unreadiness } = this.#init;
    switch (url.split("?", 1)[0]) {
      case "/metrics":
        reply(response, 200, metricsText([...metrics, ...this.#process.table()]));
        break;
      case "/health":
        replyState(response, illness());
        break;
      case "/ready":
        replyState(response, illness() ?? unreadiness());
        break;
      default:
        reply(response, 404, "there are /metrics, /health and /ready\n");
    }
  }
}

function tlsOptionsOf({ certificate, key, clientAuthority }: RpcTls): TlsOptions {
  if (clientAuthority === undefined) return { cert: certificate, key };
  const asked = { requestCert: true, rejectUnauthorized: true };
  return { cert: certificate, key, ca: clientAuthority, ...asked };
}

function replyState(response: ServerResponse, problem: string | undefined): void {
  reply(response, problem === undefined ? 200 : 503, `${problem ?? "ok"}\n`);
}

function reply(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { "content-type": TEXT_TYPE, "cache-control": "no-store" }).end(text);
}
