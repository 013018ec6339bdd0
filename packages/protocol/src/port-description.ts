/**
 * What a port says of itself, for programs that were not built with it: `grpc.health.v1` says that
 * it serves, `grpc.reflection.v1` what. So `grpcurl` needs no `.proto` files, and Kubernetes no
 * program of its own.
 *
 * Few ports are ever asked, and what answers takes as long to load as half a broker: it is loaded
 * at the first question. Until then these services are methods of bytes.
 */

import type {
  sendUnaryData,
  ServerDuplexStream,
  ServerUnaryCall,
  ServerWritableStream,
  ServiceDefinition,
  UntypedServiceImplementation,
} from "@grpc/grpc-js";
import type { PortAnswers } from "./port-answers.ts";
import { grpcFailure, OperationError } from "./operation-error.ts";

interface Server {
  addService(service: ServiceDefinition, implementation: UntypedServiceImplementation): void;
}

export type UnaryAnswer = sendUnaryData<Buffer>;
export type UnaryQuestion = ServerUnaryCall<Buffer, Buffer>;
export type StreamQuestion =
  | ServerWritableStream<Buffer, Buffer>
  | ServerDuplexStream<Buffer, Buffer>;

/** By service and method: whether requests, and replies, are streams. */
const METHODS: Readonly<Record<string, Readonly<Record<string, readonly [boolean, boolean]>>>> = {
  "grpc.health.v1.Health": {
    Check: [false, false],
    List: [false, false],
    Watch: [false, true],
  },
  "grpc.reflection.v1.ServerReflection": { ServerReflectionInfo: [true, true] },
  "grpc.reflection.v1alpha.ServerReflection": { ServerReflectionInfo: [true, true] },
};

export class PortDescription {
  readonly #services = new Set<string>();
  #answers: Promise<PortAnswers> | undefined;
  #isServing = true;

  /** @param path - Of a method that is served: `/service/method`. */
  add(path: string): void {
    const [, service = ""] = path.split("/");
    this.#services.add(service);
  }

  /** Once all are added. */
  serve(server: Server): void {
    for (const [service, methods] of Object.entries(METHODS)) {
      const definition: Record<string, ServiceDefinition[string]> = {};
      const implementation: UntypedServiceImplementation = {};
      for (const [name, [requestStream, responseStream]] of Object.entries(methods)) {
        const path = `/${service}/${name}`;
        definition[name] = { path, requestStream, responseStream, ...CODECS };
        implementation[name] = responseStream
          ? (call: StreamQuestion) => {
              this.#onStream(path, call);
            }
          : (call: UnaryQuestion, answer: UnaryAnswer) => {
              this.#onUnary(path, call, answer);
            };
      }
      server.addService(definition, implementation);
    }
  }

  /** Who watches the health is told to go elsewhere. */
  stop(): void {
    this.#isServing = false;
    // It was loaded, or whoever has asked is told of the failure.
    this.#answers?.then(
      (answers) => {
        answers.stop();
      },
      () => undefined,
    );
  }

  #onUnary(path: string, call: UnaryQuestion, answer: UnaryAnswer): void {
    this.#load()
      .then((answers) => {
        answers.unary(path, call, answer);
      })
      .catch((error: unknown) => {
        answer(failure(error));
      });
  }

  #onStream(path: string, call: StreamQuestion): void {
    this.#load()
      .then((answers) => {
        answers.stream(path, call);
      })
      .catch((error: unknown) => {
        call.emit("error", failure(error));
      });
  }

  #load(): Promise<PortAnswers> {
    this.#answers ??= import("./port-answers.ts").then(({ PortAnswers: Answers }) => {
      const answers = new Answers(this.#services);
      if (!this.#isServing) answers.stop();
      return answers;
    });
    return this.#answers;
  }
}

const CODECS = {
  requestSerialize: itself,
  requestDeserialize: itself,
  responseSerialize: itself,
  responseDeserialize: itself,
};

function itself(bytes: Buffer): Buffer {
  return bytes;
}

function failure(cause: unknown): ReturnType<typeof grpcFailure> {
  return grpcFailure(new OperationError("FAILED", "this port cannot describe itself", { cause }));
}
