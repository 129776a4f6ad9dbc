/* sys/fuzz_peer.h: what the fuzzers of clients share: a peer on a real socket of this machine that says what the input
 * says, whatever it is asked, and then closes. One connection per input, on a thread of its own, because a client
 * waits. */
#ifndef WEIR_SYS_FUZZ_PEER_H
#define WEIR_SYS_FUZZ_PEER_H
#include "base/assert.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weir/slice.h>

struct fuzz_peer {
    int listener;
    char address[32]; /* "127.0.0.1:40001" */
    struct weir_slice says;
    pthread_t thread;
};

static void fuzz_peer_listen(struct fuzz_peer *peer) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    peer->listener = socket(AF_INET, SOCK_STREAM, 0);
    int failed = bind(peer->listener, (void *)&at, size) || listen(peer->listener, 8) ||
                 getsockname(peer->listener, (void *)&at, &size);
    WEIR_ASSERT(!failed);
    snprintf(peer->address, sizeof peer->address, "127.0.0.1:%u", ntohs(at.sin_port));
}

/* What the client still says is read to its end, so that its side is closed and not reset. */
static void *fuzz_peer_talk(void *self) {
    struct fuzz_peer *peer = self;
    char heard[4096];
    int client = accept(peer->listener, NULL, NULL);
    struct weir_slice rest = peer->says;
    while (rest.size > 0) {
        ssize_t n = send(client, rest.data, rest.size, MSG_NOSIGNAL);
        if (n <= 0) break;
        rest = weir_slice(rest.data + n, rest.size - (size_t)n);
    }
    shutdown(client, SHUT_WR);
    while (recv(client, heard, sizeof heard, 0) > 0)
        continue;
    close(client);
    return NULL;
}

/* The client must connect, and close, between the two. */
static void fuzz_peer_start(struct fuzz_peer *peer, struct weir_slice says) {
    if (peer->listener <= 0) fuzz_peer_listen(peer);
    peer->says = says;
    int failed = pthread_create(&peer->thread, NULL, fuzz_peer_talk, peer);
    WEIR_ASSERT(!failed);
}
static void fuzz_peer_join(struct fuzz_peer *peer) {
    int failed = pthread_join(peer->thread, NULL);
    WEIR_ASSERT(!failed);
}

#endif
