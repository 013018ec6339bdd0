/** Certificates of a measurement. */

/** In PEM: one certificate for all processes, and who has signed it. */
export interface BenchTls {
  readonly authority: string;
  readonly certificate: string;
  readonly key: string;
}

/** Of a port that takes nobody without a certificate. */
export function serverTlsOf({ authority, certificate, key }: BenchTls): {
  certificate: string;
  key: string;
  clientAuthority: string;
} {
  return { certificate, key, clientAuthority: authority };
}
