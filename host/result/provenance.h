/* Where a row came from: version, build, processor. */
#ifndef WAIO_RESULT_PROVENANCE_H
#define WAIO_RESULT_PROVENANCE_H

const char *waio_version(void);    /* "0.1.0" */
const char *waio_build_type(void); /* "Release" */
const char *waio_cpu_name(void);   /* the processor's own name, one line */

#endif
