/** Directory of the artifacts inside a data directory. */
export const ARTIFACT_DIRECTORY = "artifacts";
/** Directory of the bytes that were swept from the artifacts. They stay there for some days. */
export const TRASH_DIRECTORY = "trash";
/** Directory of the certificate of `--tls-self-signed`. */
export const IDENTITY_DIRECTORY = "tls";
/** Public: devices get a copy to trust. */
export const CERTIFICATE_FILE = "certificate.pem";
export const KEY_FILE = "key.pem";
