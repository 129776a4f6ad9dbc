#include "projection/database.h"
const struct database_kind database_postgres = {.name = "postgresql"};
