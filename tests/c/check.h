/* Count what holds, print what does not; what the tests of the C face start from. */
#ifndef CHECK_H
#define CHECK_H

#include <stddef.h>
#include <stdint.h>

#include "fmdn.h"

#define CHECK(condition) check((condition) != 0, #condition, __FILE__, __LINE__)
#define REFUSED(code, call)                                                                        \
    do {                                                                                           \
        int status = -1;                                                                           \
        call;                                                                                      \
        check_status(status, code, #call, __FILE__, __LINE__);                                     \
    } while (0)
#define DONE(call) REFUSED(fmdn_ok, call)
#define NO_RANGES 0, NULL, NULL, NULL

void check(int holds, const char *what, const char *file, int line);
void check_status(int status, int expected, const char *what, const char *file, int line);
int failures(void);

/* FMDN_TEST_SCALE, 1 unless it is set. */
int scale(void);

/* A standard normal number; `state` is any number, and moves on. */
double normal(uint64_t *state);

/* A committee and what its arrays need. */
enum { n_inputs = 3, n_targets = 2, most = 4096 };
struct committee {
    int64_t n_layout, n_parameters, n_text, n_kernels;
    int64_t layout[most];
    double parameters[most];
    char text[most];
};

/* Targets t ~ N(0, 1), and inputs t(1), t(2), t(1), each with N(0, 1/4) added. */
void draw_rows(int64_t n, double *inputs, double *targets);

void plan(struct committee *planned);
void load(struct committee *loaded, const char *path);

/* Committees whose targets have ranges. */
void test_ranges(void);

/* Whatever a program may get wrong; `trained` is a committee in the file `path`. */
void test_misuse(const struct committee *trained, const char *path);

#endif
