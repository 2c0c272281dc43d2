// The nonce that the server allows for styles made at run time; script never needs one.
import { setNonce } from 'get-nonce';

export const nonce: string = document.querySelector<HTMLElement>('meta[property=csp-nonce]')?.nonce ?? '';

if (nonce) setNonce(nonce);
