/* Loaded into baresip before OpenSSL: the certificate that it makes for DTLS-SRTP gets a key of ECDSA over P-256, as
 * browsers and newer baresips have, in place of RSA, which the DTLS of the dimpl crate does not speak. Declared by hand,
 * so that no headers are needed. */

typedef struct evp_pkey_st EVP_PKEY;
typedef struct ec_key_st EC_KEY;

enum { P256 = 415, EC = 408 };

EC_KEY *EC_KEY_new_by_curve_name(int curve);
int EC_KEY_generate_key(EC_KEY *key);
int EVP_PKEY_assign(EVP_PKEY *pkey, int type, void *key);

int EVP_PKEY_set1_RSA(EVP_PKEY *pkey, void *rsa)
{
    EC_KEY *key = EC_KEY_new_by_curve_name(P256);
    (void)rsa;
    return key && EC_KEY_generate_key(key) && EVP_PKEY_assign(pkey, EC, key);
}
