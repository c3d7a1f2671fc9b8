/* Which of W, A, I, O each part of a network belongs to, and the order of execution that lets
 * configurations share work: first what depends on I alone, last what depends on O.
 *
 *   I  the input tensor, everything computed from it before a layer with weights, and the weights
 * of the first layer with weights (in order of execution) O  the weights of the last layer with
 * weights, its output, and all that follows from it W  the weights of the layers between;  A  all
 * other activations, the first layer's output too
 *
 * A network with a single layer with weights has I for its weights and O for its output. */
#ifndef WAIO_QUANT_ROLES_H
#define WAIO_QUANT_ROLES_H

#include "graph/graph.h"

typedef enum waio_role { WAIO_ROLE_I, WAIO_ROLE_A, WAIO_ROLE_O } waio_role;

typedef struct waio_roles {
    waio_role *value;   /* per value; of constants: the role of the node that reads them */
    int first_weighted; /* node index */
    int last_weighted;  /* node index: the head of the network begins here */
} waio_roles;

/* Brings the nodes of `graph` into the order above (stable otherwise), splits constants that
 * several nodes read, so that each reader can have its own bits, and says the roles; `arena` holds
 * them. WAIO_EUNSUPPORTED if no node has weights. */
waio_status waio_roles_assign(waio_roles *roles, waio_graph *graph, waio_arena *arena);

#endif
