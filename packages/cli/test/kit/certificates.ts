/** Certificates in files, as the command line takes them. */

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { TestAuthority } from "@quorumlog/transport/testing";

/** An authority, whose certificate is in the file, and which signs for others. */
export interface Authority {
  readonly file: string;
  /** @returns the files of a certificate and its key */
  issue(name: string): { readonly certificate: string; readonly key: string };
}

export function makeAuthority(folder: string, name: string): Authority {
  mkdirSync(folder, { recursive: true });
  const authority = new TestAuthority(name);
  const write = (file: string, text: string): string => {
    const path = join(folder, file);
    writeFileSync(path, text);
    return path;
  };
  return {
    file: write(`${name}.pem`, authority.certificate),
    issue: (subject) => {
      const { certificate, key } = authority.issue(subject);
      return {
        certificate: write(`${name}-${subject}.pem`, certificate),
        key: write(`${name}-${subject}.key`, key),
      };
    },
  };
}
