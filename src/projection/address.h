/* projection/address.h: the setting projection.url: which database, and how to name it to people.
 *
 *     ""                                      SQLite, files in the data folder: DATA/projections/SERVICE.db
 *     sqlite:FOLDER                           SQLite, files in that folder
 *     postgresql://[USER[:PASSWORD]@][HOST[:PORT][,...]][/DATABASE][?PARAMETERS]    as libpq takes it; postgres:// too
 *
 * Pure; no allocation. What is shown has neither password nor parameters.
 */
#ifndef WEIR_PROJECTION_ADDRESS_H
#define WEIR_PROJECTION_ADDRESS_H
#include <weir/error.h>
#include <weir/slice.h>

#define ADDRESS_MAX 512
enum address_kind { ADDRESS_DATA_FOLDER, ADDRESS_SQLITE, ADDRESS_POSTGRES };
struct address {
    enum address_kind kind;
    char folder[ADDRESS_MAX]; /* SQLITE */
    char shown[ADDRESS_MAX];  /* for people */
};
/* CONFIG: it is none of these; the context says what is wrong, and never repeats the text: it may hold a password. */
WEIR_MUST enum weir_error address_parse(struct weir_slice url, struct address *ret_address);

#endif
