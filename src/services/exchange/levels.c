/* The price index's rare steps: new leaves, leaves that empty, and the walk to the next level. */
#include "exchange/state.h"

static uint32_t node_take(struct exchange_core *core, uint8_t storey) {
    uint32_t number = core->node_free;
    if (number)
        core->node_free = core->nodes[number].parent;
    else
        number = ++core->node_used;
    core->node_open++;
    struct node *node = &core->nodes[number];
    node->mask = 0;
    node->parent = 0;
    node->position = 0;
    node->storey = storey;
    return number;
}

static void node_give(struct exchange_core *core, uint32_t number) {
    core->nodes[number].parent = core->node_free;
    core->node_free = number;
    core->node_open--;
}

static void node_attach(struct exchange_core *core, uint32_t parent, unsigned position, uint32_t child) {
    struct node *p = &core->nodes[parent];
    p->mask |= UINT64_C(1) << position;
    p->child[position] = child;
    core->nodes[child].parent = parent;
    core->nodes[child].position = (uint8_t)position;
}

/* Adds storeys on top until the root covers the key. */
static void raise_root(struct exchange_core *core, struct side *side, uint64_t leaf_key) {
    unsigned storey = core->nodes[side->root].storey;
    while (leaf_key >> (6 * storey) != side->prefix) {
        uint32_t root = node_take(core, (uint8_t)++storey);
        node_attach(core, root, (unsigned)(side->prefix & 63), side->root);
        side->root = root;
        side->prefix >>= 6;
    }
}

uint32_t levels_leaf(struct exchange_core *core, struct side *side, uint64_t leaf_key) {
    if (side->root == 0) {
        side->root = node_take(core, 0);
        side->prefix = leaf_key;
    }
    raise_root(core, side, leaf_key);
    uint32_t number = side->root;
    for (unsigned storey = core->nodes[number].storey; storey > 0; storey--) {
        unsigned position = (unsigned)(leaf_key >> (6 * (storey - 1)) & 63);
        if (!(core->nodes[number].mask >> position & 1))
            node_attach(core, number, position, node_take(core, (uint8_t)(storey - 1)));
        number = core->nodes[number].child[position];
    }
    side->cursor = number;
    side->cursor_key = leaf_key;
    return number;
}

void levels_leaf_emptied(struct exchange_core *core, struct side *side, uint32_t leaf) {
    if (side->cursor == leaf) side->cursor = 0;
    uint32_t number = leaf;
    while (number != side->root && core->nodes[number].mask == 0) {
        uint32_t parent = core->nodes[number].parent;
        core->nodes[parent].mask &= ~(UINT64_C(1) << core->nodes[number].position);
        node_give(core, number);
        number = parent;
    }
    if (number != side->root) return;
    if (core->nodes[number].mask == 0) {
        node_give(core, number);
        side->root = 0;
        return;
    }
    /* Storeys above a single child only cost: the far price that needed them is gone. */
    while (core->nodes[number].storey > 0 && (core->nodes[number].mask & (core->nodes[number].mask - 1)) == 0) {
        unsigned position = (unsigned)__builtin_ctzll(core->nodes[number].mask);
        uint32_t child = core->nodes[number].child[position];
        node_give(core, number);
        core->nodes[child].parent = 0;
        side->root = child;
        side->prefix = side->prefix << 6 | position;
        number = child;
    }
}

/* The occupied child beyond position in the direction of worse prices, or -1. */
static int worse_child(uint64_t mask, unsigned position, unsigned side_number) {
    if (side_number == EXCHANGE_SIDE_BUY) {
        mask &= (UINT64_C(1) << position) - 1;
        return mask ? 63 - __builtin_clzll(mask) : -1;
    }
    mask &= position == 63 ? 0 : ~UINT64_C(0) << (position + 1);
    return mask ? __builtin_ctzll(mask) : -1;
}

uint32_t levels_worse(const struct exchange_core *core, uint32_t level, unsigned side_number) {
    uint32_t number = core->levels[level].place >> 6;
    unsigned position = core->levels[level].place & 63;
    const struct node *node = &core->nodes[number];
    int next = worse_child(node->mask, position, side_number);
    while (next < 0) {
        if (node->parent == 0) return 0;
        position = node->position;
        node = &core->nodes[node->parent];
        next = worse_child(node->mask, position, side_number);
    }
    uint32_t child = node->child[next];
    for (unsigned storey = node->storey; storey > 0; storey--) {
        node = &core->nodes[child];
        next = side_number == EXCHANGE_SIDE_BUY ? 63 - __builtin_clzll(node->mask) : __builtin_ctzll(node->mask);
        child = node->child[next];
    }
    return child;
}
