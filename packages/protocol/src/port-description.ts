/**
 * What a port says of itself, for programs that were not built with it: `grpc.health.v1` says that
 * it serves, `grpc.reflection.v1` what. So `grpcurl` needs no `.proto` files, and Kubernetes no
 * program of its own.
 */

import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type {
  ServerDuplexStream,
  ServiceDefinition,
  UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { loadSync, type PackageDefinition } from "@grpc/proto-loader";
import { ReflectionService } from "@grpc/reflection";
import { HealthImplementation } from "grpc-health-check";

interface Server {
  addService(service: ServiceDefinition, implementation: UntypedServiceImplementation): void;
}

const PROTO_FOLDER = fileURLToPath(new URL("../generated/proto/", import.meta.url));

export class PortDescription {
  readonly #health = new HealthImplementation({ "": "SERVING" });
  readonly #services = new Set<string>();

  /** @param path - Of a method that is served: `/service/method`. */
  add(path: string): void {
    const [, service = ""] = path.split("/");
    this.#services.add(service);
    this.#health.setStatus(service, "SERVING");
  }

  /** Once all are added. */
  serve(server: Server): void {
    this.#health.addToServer(server);
    const reflection = new ReflectionService(protoFiles(), { services: [...this.#services] });
    reflection.addToServer({
      addService: (service: ServiceDefinition, implementation: UntypedServiceImplementation) => {
        server.addService(service, { ServerReflectionInfo: minding(implementation) });
      },
    });
  }

  /** Who watches the health is told to go elsewhere. */
  stop(): void {
    for (const service of ["", ...this.#services]) this.#health.setStatus(service, "NOT_SERVING");
  }
}

type Call = ServerDuplexStream<unknown, unknown>;

/** Who asks and does not read is not listened to: the library answers whatever is asked. */
function minding({
  ServerReflectionInfo: answer,
}: UntypedServiceImplementation): (call: Call) => void {
  return (call) => {
    (answer as (call: Call) => void)(call);
    call.on("data", () => {
      if (!call.writableNeedDrain) return;
      call.pause();
      call.once("drain", () => {
        call.resume();
      });
    });
  };
}

let loaded: PackageDefinition | undefined;

/** Read once in a process: it takes tens of milliseconds. */
function protoFiles(): PackageDefinition {
  loaded ??= loadSync(
    readdirSync(PROTO_FOLDER, { recursive: true })
      .map(String)
      .filter((name) => name.endsWith(".proto")),
    { includeDirs: [PROTO_FOLDER], keepCase: true },
  );
  return loaded;
}
