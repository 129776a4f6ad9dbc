/* Linked with the whole of one library and with the layers that it may use: the link itself is the test. */
#include <stdio.h>

int main(void) {
    puts("1..1\nok 1 - the library calls nothing above it");
    return 0;
}
