/**
 * Clusters as they go out. A leader change is told to thousands of clients in one turn: what is the
 * same for several of them is put into bytes once.
 */

import { type Method, NAME_SERVER_SERVICE } from "@quorumlog/protocol";
import type {
  Cluster as ClusterMessage,
  Metadata,
  Registration as RegistrationMessage,
} from "@quorumlog/protocol/messages";
import type { Cluster, ClusterMetadata, Registration } from "./cluster.ts";

type Service = typeof NAME_SERVER_SERVICE;
type Whole = ClusterMessage.$Properties;

/** The service, as a server has it: a message object that was sent before is not encoded again. */
export function encodingOnce(): Service {
  const { watchCluster, getCluster } = NAME_SERVER_SERVICE;
  return {
    ...NAME_SERVER_SERVICE,
    watchCluster: rememberingBytes(watchCluster),
    getCluster: rememberingBytes(getCluster),
  };
}

function rememberingBytes<M extends Method<never, unknown, Whole, unknown>>(method: M): M {
  const known = new WeakMap<Whole, Buffer>();
  return {
    ...method,
    responseSerialize(message: Whole): Buffer {
      // A copy: what a message's memory is after it was sent once, is not known.
      const bytes = known.get(message) ?? Buffer.from(method.responseSerialize(message));
      known.set(message, bytes);
      return bytes;
    },
  };
}

const whole = new WeakMap<Cluster, Whole>();
const withoutMetadata = new WeakMap<Cluster, Whole>();

/** The same object for the same cluster. */
export function clusterMessage(cluster: Cluster): Whole {
  const message = whole.get(cluster) ?? {
    ...cluster,
    groups: cluster.groups as Whole["groups"],
    metadata: cluster.metadata === undefined ? null : metadataMessage(cluster.metadata),
  };
  whole.set(cluster, message as Whole);
  return message as Whole;
}

/** For who has been told the metadata before. */
export function routesMessage(cluster: Cluster): Whole {
  const message =
    withoutMetadata.get(cluster) ?? ({ ...cluster, metadata: null } as unknown as Whole);
  withoutMetadata.set(cluster, message);
  return message;
}

/** Just these topics; the metadata's version is that of all of them. */
export function ofTopics(cluster: Cluster, topics: ReadonlySet<string>): Cluster {
  const { metadata } = cluster;
  if (topics.size === 0 || metadata === undefined) return cluster;
  const wanted = metadata.topics.filter(({ name }) => topics.has(name));
  return { ...cluster, metadata: { ...metadata, topics: wanted } };
}

export function registrationMessage(registration: Registration): RegistrationMessage.$Properties {
  const { group, metadata } = registration;
  return {
    ...registration,
    group: (group as RegistrationMessage.$Properties["group"]) ?? null,
    metadata: metadata === undefined ? null : metadataMessage(metadata),
  };
}

/** The types differ in what they say of writing to it, which an encoder does not. */
function metadataMessage(metadata: ClusterMetadata): Metadata.$Properties {
  return metadata as Metadata.$Properties;
}
