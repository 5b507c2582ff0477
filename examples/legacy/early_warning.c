/* The same early-warning loop in C: early_warning FILE NAME... < observations */
#include <fmdn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A committee, and room for the mixture that it makes of an observation. */
struct committee {
    int64_t n_layout, n_parameters, n_text, n_inputs, n_targets, n_kernels;
    int64_t *layout;
    int *kinds;
    double *parameters, *low, *high, *weights, *means, *factors, *one_mean, *one_precision;
    char *text;
};

static void *room(int64_t n, size_t size)
{
    void *memory = malloc((size_t)n * size + 1);
    if (!memory) {
        fputs("out of memory\n", stderr);
        exit(1);
    }
    return memory;
}

static void give_up_unless(int status, const char *detail)
{
    char text[100];
    if (status == fmdn_ok)
        return;
    fmdn_status_text(status, sizeof text, text);
    fprintf(stderr, "%.100s %.200s\n", text, detail);
    exit(1);
}

static struct committee load(const char *path, const char *name)
{
    const int64_t n_path = (int64_t)strlen(path), n_name = (int64_t)strlen(name);
    struct committee it;
    int64_t size[6];
    char detail[200];
    int status;

    fmdn_load_sizes(n_path, path, n_name, name, size, sizeof detail, detail, &status);
    give_up_unless(status, detail);
    it.n_layout = size[0];
    it.n_parameters = size[1];
    it.n_text = size[2];
    it.n_inputs = size[3];
    it.n_targets = size[4];
    it.n_kernels = size[5];
    it.layout = room(it.n_layout, sizeof *it.layout);
    it.parameters = room(it.n_parameters, sizeof(double));
    it.text = room(it.n_text, 1);
    it.kinds = room(it.n_targets, sizeof(int));
    it.low = room(it.n_targets, sizeof(double));
    it.high = room(it.n_targets, sizeof(double));
    it.weights = room(it.n_kernels, sizeof(double));
    it.means = room(it.n_kernels * it.n_targets, sizeof(double));
    it.factors = room(it.n_kernels * it.n_targets * it.n_targets, sizeof(double));
    it.one_mean = room(it.n_kernels, sizeof(double));
    it.one_precision = room(it.n_kernels, sizeof(double));
    fmdn_load(n_path, path, n_name, name, it.n_layout, it.layout, it.n_parameters, it.parameters,
              it.n_text, it.text, sizeof detail, detail, &status);
    give_up_unless(status, detail);
    fmdn_get_ranges(it.n_layout, it.layout, it.n_parameters, it.parameters, it.n_targets, it.kinds,
                    it.low, it.high, &status);
    give_up_unless(status, "");
    return it;
}

/* Median, 5 % and 95 % of each target. */
static int ask(struct committee *it, const double *observed, double *quantiles)
{
    static const double probabilities[3] = {0.5, 0.05, 0.95};
    int status, target;

    fmdn_posterior(it->n_layout, it->layout, it->n_parameters, it->parameters, it->n_inputs, 1,
                   observed, 1, it->n_targets, it->n_kernels, it->weights, it->means, it->factors,
                   &status);
    for (target = 1; target <= it->n_targets && status == fmdn_ok; ++target) {
        fmdn_mixture_marginal(it->n_targets, it->n_kernels, 1, it->means, it->factors, target,
                              it->one_mean, it->one_precision, &status);
        if (status == fmdn_ok)
            fmdn_mixture_quantile(it->n_kernels, 1, 1, it->kinds + target - 1,
                                  it->low + target - 1, it->high + target - 1, it->weights,
                                  it->one_mean, it->one_precision, 3, probabilities, 1,
                                  quantiles + 3 * (target - 1), &status);
    }
    return status;
}

/* Numbers between blanks; how many there are, at most n. */
static int64_t numbers(const char *line, int64_t n, double *values)
{
    int64_t i;
    for (i = 0; i < n; ++i) {
        char *end;
        values[i] = strtod(line, &end);
        if (end == line)
            break;
        line = end;
    }
    return i;
}

static double microseconds(void)
{
    struct timespec now;
    timespec_get(&now, TIME_UTC);
    return 1e6 * (double)now.tv_sec + 1e-3 * (double)now.tv_nsec;
}

int main(int n_arguments, char **arguments)
{
    const int n = n_arguments - 2;
    static char line[32768];
    struct committee *networks;
    double *observed, *quantiles, total = 0, longest = 0;
    int64_t n_targets = 0, j;
    int i, n_lines = 0;

    if (n < 1) {
        fputs("usage: early_warning FILE NAME... < observations\n", stderr);
        return 1;
    }
    networks = room(n, sizeof *networks);
    for (i = 0; i < n; ++i) {
        networks[i] = load(arguments[1], arguments[i + 2]);
        n_targets += networks[i].n_targets;
    }
    observed = room(networks[0].n_inputs, sizeof(double));
    quantiles = room(3 * n_targets, sizeof(double));

    for (; fgets(line, sizeof line, stdin); ++n_lines) {
        int64_t n_numbers = numbers(line, networks[0].n_inputs, observed);
        double *next = quantiles, started = microseconds(), took;
        int usable = n_numbers == networks[0].n_inputs;
        for (i = 0; i < n && usable; ++i) {
            usable = ask(&networks[i], observed, next) == fmdn_ok;
            next += 3 * networks[i].n_targets;
        }
        took = microseconds() - started;
        total += took;
        longest = took > longest ? took : longest;
        for (j = 0; j < 3 * n_targets && usable; ++j)
            printf(" %.17g", quantiles[j]);
        puts(usable ? "" : "unusable");
        fflush(stdout);
    }
    fprintf(stderr, "%d observations, %.1f microseconds each, %.1f at most\n", n_lines,
            total / (n_lines ? n_lines : 1), longest);
    return 0;
}
