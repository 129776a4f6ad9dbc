/* objects/sigv4.h: AWS Signature Version 4 of one request whose whole body is known, in the Authorization header.
 * Source: "Authenticating Requests: Using the Authorization Header (AWS Signature Version 4)", Amazon S3 API reference.
 * libcurl's own signer (7.88) signs a query as it stands and can't sign further headers; and this one has AWS' vectors.
 * Pure; no allocation. */
#ifndef WEIR_OBJECTS_SIGV4_H
#define WEIR_OBJECTS_SIGV4_H
#include "base/text.h"

#include <weir/error.h>

#define SIGV4_DATE_SIZE 17u /* "20130524T000000Z" and a NUL */

struct sigv4_header { /* name in lower case */
    const char *name, *value;
};
struct sigv4_request {
    const char *method;                 /* "GET" */
    const char *path;                   /* encoded, from its first slash on */
    const char *query;                  /* encoded, its names sorted, without '?'; "" */
    const struct sigv4_header *headers; /* all that are signed, sorted by name; host among them */
    size_t header_count;
    const char *body_sha256; /* 64 hexadecimal digits */
    const char *key_id, *secret, *region, *service;
    const char *date; /* of x-amz-date */
};
/* What x-amz-date says at that time. */
void sigv4_date(uint64_t unix_s, char ret_date[SIGV4_DATE_SIZE]);
/* The value of the Authorization header. False: out is too small, or libcrypto refuses HMAC. */
WEIR_MUST bool sigv4_sign(const struct sigv4_request *request, struct text_builder *out);

#endif
