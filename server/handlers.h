/* What answers: one handler an entry of the routes. route.h says what each gets and returns. */
#ifndef SERVER_HANDLERS_H
#define SERVER_HANDLERS_H

#include "route.h"

handler handle_operation; /* calls/operation.c: POST /<layer>/<operation> */
handler handle_graph;     /* graphs/graph.c: POST /graph */
handler handle_check;     /* calls/check.c: POST /check/<layer>/<operation> */
handler handle_challenge; /* calls/challenge.c: POST /challenge */
handler handle_answer;    /* calls/challenge_answer.c: POST /challenge/answer */
handler handle_cache_info,
    handle_cache_remove; /* documents/caches.c: GET, DELETE /cache/<handle> */
handler handle_health, handle_ready, handle_version; /* documents/about.c: GET /healthz, ... */
handler handle_metrics;                              /* documents/metrics_page.c: GET /metrics */
handler handle_tokens;                               /* documents/tokens_page.c: GET /tokens */
handler handle_page;                                 /* documents/page.c: GET / */
handler handle_challenges;                           /* documents/challenges.c: GET /challenge */
handler handle_openapi; /* documents/openapi/document.c: GET /openapi.json */

#endif
