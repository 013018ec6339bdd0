/** Health and reflection, as libraries answer for them: in messages of theirs, made of bytes. */

import { EventEmitter } from "node:events";
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type {
  MethodDefinition,
  ServerDuplexStream,
  ServiceDefinition,
  UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { loadSync, type PackageDefinition } from "@grpc/proto-loader";
import { ReflectionService } from "@grpc/reflection";
import { required } from "@quorumlog/std";
import { HealthImplementation } from "grpc-health-check";
import { grpcFailure, OperationError } from "./operation-error.ts";
import type { StreamQuestion, UnaryAnswer, UnaryQuestion } from "./port-description.ts";

interface Answer {
  readonly method: MethodDefinition<unknown, unknown>;
  readonly handle: (call: unknown, answer?: (error: unknown, reply?: unknown) => void) => void;
}

const PROTO_FOLDER = fileURLToPath(new URL("../generated/proto/", import.meta.url));

export class PortAnswers {
  readonly #health: HealthImplementation;
  readonly #services: readonly string[];
  /** By the paths of their methods. */
  readonly #answers = new Map<string, Answer>();

  /** @param services - That are served, besides these. */
  constructor(services: Iterable<string>) {
    this.#services = [...services];
    this.#health = new HealthImplementation({ "": "SERVING" });
    for (const service of this.#services) this.#health.setStatus(service, "SERVING");
    const catching = {
      addService: (service: ServiceDefinition, implementation: UntypedServiceImplementation) => {
        for (const [name, method] of Object.entries(service)) {
          const handle = implementation[name] ?? implementation[method.originalName ?? name];
          this.#answers.set(method.path, { method, handle: handle as Answer["handle"] });
        }
      },
    };
    this.#health.addToServer(catching);
    new ReflectionService(protoFiles(), { services: [...this.#services] }).addToServer(catching);
  }

  /** Who watches the health is told to go elsewhere. */
  stop(): void {
    for (const service of ["", ...this.#services]) this.#health.setStatus(service, "NOT_SERVING");
  }

  unary(path: string, { request }: UnaryQuestion, answer: UnaryAnswer): void {
    const { method, handle } = this.#answerOf(path);
    const decoded = decode(method, request);
    if (decoded instanceof OperationError) {
      answer(grpcFailure(decoded));
      return;
    }
    handle({ request: decoded }, (error, reply) => {
      if (reply === undefined || reply === null) answer(error as never);
      else answer(null, method.responseSerialize(reply));
    });
  }

  stream(path: string, call: StreamQuestion): void {
    const { method, handle } = this.#answerOf(path);
    const decoded = new DecodedCall(call, method);
    if ("request" in call) {
      const request = decode(method, call.request);
      if (request instanceof OperationError) call.emit("error", grpcFailure(request));
      else handle(Object.assign(decoded, { request }));
      return;
    }
    handle(decoded);
    decoded.listen(call);
  }

  #answerOf(path: string): Answer {
    return required(this.#answers.get(path), "the libraries have the methods that are told of");
  }
}

/** A call of bytes, as a library sees it. */
class DecodedCall extends EventEmitter {
  readonly #call: StreamQuestion;
  readonly #method: MethodDefinition<unknown, unknown>;

  constructor(call: StreamQuestion, method: MethodDefinition<unknown, unknown>) {
    super();
    this.#call = call;
    this.#method = method;
    for (const event of ["cancelled", "end"])
      call.on(event, () => {
        this.emit(event);
      });
  }

  write(reply: unknown): boolean {
    return this.#call.write(this.#method.responseSerialize(reply));
  }

  end(): void {
    this.#call.end();
  }

  /** Who asks and does not read is not listened to: the library answers whatever is asked. */
  listen(call: ServerDuplexStream<Buffer, Buffer>): void {
    call.on("data", (bytes: Buffer) => {
      const message = decode(this.#method, bytes);
      if (message instanceof OperationError) {
        call.emit("error", grpcFailure(message));
        return;
      }
      this.emit("data", message);
      if (!call.writableNeedDrain) return;
      call.pause();
      call.once("drain", () => {
        call.resume();
      });
    });
  }
}

function decode(method: MethodDefinition<unknown, unknown>, bytes: Buffer): unknown {
  try {
    return method.requestDeserialize(bytes);
  } catch (cause) {
    return new OperationError("INVALID_ARGUMENT", `these bytes are no ${method.path}`, { cause });
  }
}

function protoFiles(): PackageDefinition {
  return loadSync(
    readdirSync(PROTO_FOLDER, { recursive: true })
      .map(String)
      .filter((name) => name.endsWith(".proto")),
    { includeDirs: [PROTO_FOLDER], keepCase: true },
  );
}
