#include "host/poison.h"

__thread struct poison_place poison_place;
