/**
 * How a channel shows who it is, and whom it trusts.
 *
 * To a host that is an address, and not a name, connections are secured here: gRPC's own
 * credentials send the address as the name that is asked for. TLS has names there only (RFC 6066,
 * section 3); Node.js warns of it once in each process (DEP0123), and means to refuse it.
 */

import { isIP, type Socket } from "node:net";
import { connect as connectTls, createSecureContext, type SecureContext } from "node:tls";
import { type CallCredentials, ChannelCredentials, credentials, experimental } from "@grpc/grpc-js";

export interface ChannelTls {
  /** PEM: who is trusted; default the system's authorities. */
  readonly authority?: string | Buffer;
  /** PEM, of this client; both or none. */
  readonly certificate?: string | Buffer;
  readonly key?: string | Buffer;
}

/**
 * @param address - As `host:port`: the host has to be in the certificate of whoever is there.
 * @throws TypeError of a certificate without its key, or a key without its certificate; Error of
 *   one that cannot be read.
 */
export function channelCredentials(address: string, tls?: ChannelTls): ChannelCredentials {
  if (tls === undefined) return credentials.createInsecure();
  const { authority, certificate, key } = tls;
  if ((certificate === undefined) !== (key === undefined))
    throw new TypeError("a certificate and its key are given together");
  const context = createSecureContext({ ca: authority, cert: certificate, key });
  const { host = "" } = experimental.splitHostPort(address) ?? {};
  if (isIP(host) === 0) return credentials.createFromSecureContext(context);
  return new AddressCredentials(host, context);
}

/** Of connections to an address. */
class AddressCredentials extends ChannelCredentials {
  readonly #host: string;
  readonly #context: SecureContext;

  constructor(host: string, context: SecureContext) {
    super();
    this.#host = host;
    this.#context = context;
  }

  override _isSecure(): boolean {
    return true;
  }

  override _equals(other: ChannelCredentials): boolean {
    return this === other;
  }

  override _createSecureConnector(
    _target: experimental.GrpcUri,
    _options: object,
    calls: CallCredentials = credentials.createEmpty(),
  ): experimental.SecureConnector {
    return {
      connect: (socket) => this.#secure(socket),
      waitForReady: () => Promise.resolve(),
      getCallCredentials: () => calls,
      destroy: () => undefined,
    };
  }

  /** @throws Error unless somebody trusted has signed a certificate with this address in it. */
  #secure(socket: Socket): Promise<experimental.SecureConnectResult> {
    return new Promise((resolve, reject) => {
      const secured = connectTls({
        socket,
        // What the certificate is checked against, as there is no name.
        host: this.#host,
        secureContext: this.#context,
        ALPNProtocols: ["h2"],
        // By default the environment of the process could turn it off.
        rejectUnauthorized: true,
      });
      secured.once("secureConnect", () => {
        resolve({ socket: secured, secure: true });
      });
      secured.on("error", reject);
    });
  }
}
