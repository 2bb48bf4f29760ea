/* TLS to the store. */
#include "store/redis/tls.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct redis_tls {
    gnutls_certificate_credentials_t credentials;
};

static bool trust(redis_tls *tls, const char *authorities, char text[TLS_TEXT]) {
    int count = *authorities ? gnutls_certificate_set_x509_trust_file(tls->credentials, authorities,
                                                                      GNUTLS_X509_FMT_PEM)
                             : gnutls_certificate_set_x509_system_trust(tls->credentials);
    if (count <= 0 && *authorities)
        snprintf(text, TLS_TEXT, "no certificate can be read from %.60s: %s", authorities,
                 count ? gnutls_strerror(count) : "there is none");
    return count > 0 || !*authorities;
}

static bool show(redis_tls *tls, const char *certificate, char text[TLS_TEXT]) {
    int result = *certificate ? gnutls_certificate_set_x509_key_file(
                                    tls->credentials, certificate, certificate, GNUTLS_X509_FMT_PEM)
                              : GNUTLS_E_SUCCESS;
    if (result < 0)
        snprintf(text, TLS_TEXT, "no certificate and key can be read from %.60s: %s", certificate,
                 gnutls_strerror(result));
    return result >= 0;
}

redis_tls *tls_make(const char *authorities, const char *certificate, char text[TLS_TEXT]) {
    redis_tls *tls = calloc(1, sizeof *tls);
    if (tls && gnutls_certificate_allocate_credentials(&tls->credentials) == GNUTLS_E_SUCCESS &&
        trust(tls, authorities, text) && show(tls, certificate, text))
        return tls;
    tls_free(tls);
    return NULL;
}

void tls_free(redis_tls *tls) {
    if (tls && tls->credentials)
        gnutls_certificate_free_credentials(tls->credentials);
    free(tls);
}

static bool is_address(const char *name) {
    struct in6_addr address;
    return inet_pton(AF_INET, name, &address) == 1 || inet_pton(AF_INET6, name, &address) == 1;
}

gnutls_session_t tls_open(const redis_tls *tls, int socket, const char *name) {
    gnutls_session_t session;
    if (gnutls_init(&session, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) !=
        GNUTLS_E_SUCCESS)
        return NULL;
    if (gnutls_set_default_priority(session) != GNUTLS_E_SUCCESS ||
        gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, tls->credentials) !=
            GNUTLS_E_SUCCESS ||
        (!is_address(name) &&
         gnutls_server_name_set(session, GNUTLS_NAME_DNS, name, strlen(name)) < 0)) {
        gnutls_deinit(session);
        return NULL;
    }
    gnutls_session_set_verify_cert(session, name, 0);
    gnutls_transport_set_int(session, socket);
    return session;
}

void tls_close(gnutls_session_t session) {
    if (session)
        gnutls_deinit(session);
}

short tls_events(gnutls_session_t session) {
    return gnutls_record_get_direction(session) ? POLLOUT : POLLIN;
}

bool tls_waits(ssize_t result) {
    return result == GNUTLS_E_AGAIN || result == GNUTLS_E_INTERRUPTED;
}

bool tls_ended(ssize_t result) {
    return result == 0 || result == GNUTLS_E_PREMATURE_TERMINATION ||
           result == GNUTLS_E_PULL_ERROR || result == GNUTLS_E_PUSH_ERROR ||
           result == GNUTLS_E_INVALID_SESSION;
}

void tls_fault(gnutls_session_t session, ssize_t result, char text[TLS_TEXT]) {
    gnutls_datum_t words = {NULL, 0};
    if (result == GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR &&
        gnutls_certificate_verification_status_print(gnutls_session_get_verify_cert_status(session),
                                                     GNUTLS_CRT_X509, &words, 0) == 0)
        snprintf(text, TLS_TEXT, "TLS: %s", words.data);
    else
        snprintf(text, TLS_TEXT, "TLS: %s", gnutls_strerror((int)result));
    gnutls_free(words.data);
}
