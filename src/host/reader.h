/* host/reader.h: the read agent: reads of the log that may be cold, so that no lane waits for the disk.
 *
 * For sessions (host_read, with long polls) and for taps that catch up. What is stored compressed is brought plain,
 * from the offset that was asked for on and as much as a message takes: no lane decompresses. Owner: its own thread.
 * Memory: the buffers below, and READS_WAITING_MAX long polls; more are answered at once with what there is.
 */
#ifndef WEIR_HOST_READER_H
#define WEIR_HOST_READER_H
#include "host/mail.h"
#include "host/unfold.h"

#define READ_BYTES_MAX    (1u << 20)
#define READS_WAITING_MAX 4096u

struct read_agent {
    struct host *host;
    int poller, agent;
    uint8_t *buffer; /* as stored */
    struct unfold unfold;
    struct weir_slice found; /* what the last look brought */
    struct mail_read *waiting;
    uint32_t waiting_count;
    void *memory;
    size_t memory_size;
};
WEIR_MUST enum weir_error host_reader_open(struct host *host, struct read_agent *reader);
WEIR_MUST enum weir_error host_reader_start(struct read_agent *reader);
void host_reader_stop(struct read_agent *reader);
void host_reader_close(struct read_agent *reader);
#endif
