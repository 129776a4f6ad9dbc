/* objects/s3_xml.h: what an S3 service answers in XML: a page of ListObjectsV2, or an error. Read by expat, which knows
 * the grammar and refuses entities that grow; here is only which elements matter. No allocation of our own. */
#ifndef WEIR_OBJECTS_S3_XML_H
#define WEIR_OBJECTS_S3_XML_H
#include "objects/objects.h"

#define S3_TEXT_MAX 1024u /* of one element that matters; longer ones are malformed */

struct s3_answer {
    char code[64], message[256]; /* of <Error>; message may be cut; "": none */
    bool is_list, truncated;     /* <ListBucketResult>; more pages follow */
    char token[S3_TEXT_MAX];     /* for the next page */
};
/* fn: per <Contents>, NULL: none. INVALID: not XML, or an element without what it must have; else what fn says. */
WEIR_MUST enum weir_error s3_answer_parse(
    struct weir_slice text, object_list_fn fn, void *ctx, struct s3_answer *ret_answer);

#endif
