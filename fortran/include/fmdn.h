/* libfmdn for C and C++: posteriors from prior samples by mixture density networks.

   A committee of trained networks is three plain arrays that the caller owns: `layout` (what it
   consists of), `parameters` (the numbers) and `text` (names and provenance, JSON; only files need
   it). Copy them, send them, keep them: there are no handles, and no call keeps anything.

   Sizes are int64_t and come first; arrays are C-ordered, the last index running fastest; texts are
   given with their length, without a closing zero, and come back padded with blanks. A pointer may
   be NULL where its size is 0, and nowhere else. The last argument is the status: 0, or one of
   enum fmdn_status, and then the arrays hold nothing of use unless it is said that they do.

   No procedure stops, prints or keeps state. Any number of threads may call any of them, and may
   share a committee that none of them changes. A thread needs 256 kB of stack. n_threads, at most
   1024, is how many threads a call may use itself (OpenMP); one observation takes one.

   From a file to the posterior of an observation:

       int64_t size[6];     layout, parameters, text, inputs, targets, kernels
       fmdn_load_sizes(strlen(path), path, 0, NULL, size, sizeof detail, detail, &status);
       int64_t *layout = malloc(size[0] * sizeof *layout);       ... parameters, text likewise
       fmdn_load(strlen(path), path, 0, NULL, size[0], layout, size[1], parameters,
                 size[2], text, sizeof detail, detail, &status);
       fmdn_posterior(size[0], layout, size[1], parameters, size[3], 1, observed, 1,
                      size[4], size[5], weights, means, factors, &status);

   and to train one: fmdn_plan_committee, fmdn_fit_committee, fmdn_save. docs/fortran.md has whole
   programs. `pkg-config --cflags --libs fmdn` says how to compile; with --static for libfmdn.a. */
#ifndef FMDN_H
#define FMDN_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a call may say; fmdn_status_text has it in words. */
enum fmdn_status {
    fmdn_ok = 0, fmdn_invalid_argument = 1,
    fmdn_out_of_memory = 2, fmdn_interrupted = 3,
    fmdn_not_finite = 4, fmdn_too_few_rows = 5,
    fmdn_invalid_layout = 6, fmdn_unknown_block = 7,
    fmdn_cannot_open = 8, fmdn_cannot_write = 9,
    fmdn_not_a_model = 10, fmdn_newer_file = 11,
    fmdn_truncated = 12, fmdn_damaged = 13,
    fmdn_no_member = 14, fmdn_unfinished = 15,
    fmdn_no_such_committee = 16, fmdn_not_legacy = 17,
    fmdn_not_a_table = 18, fmdn_outside_range = 19,
    fmdn_has_ranges = 20, fmdn_no_recalibration = 21
};

/* Why the training of a member stopped; fmdn_stop_text has it in words. */
enum fmdn_stopped {
    fmdn_stopped_not_yet = 0,
    fmdn_stopped_gradient = 1,
    fmdn_stopped_decrease = 2,
    fmdn_stopped_patience = 3,
    fmdn_stopped_max_iter = 4,
    fmdn_stopped_line_search = 5,
    fmdn_stopped_interrupted = 6,
    fmdn_stopped_failed = 7,
    fmdn_stopped_out_of_memory = 8
};

/* Covariance of the kernels. */
enum fmdn_covariance { fmdn_isotropic = 1, fmdn_diagonal = 2, fmdn_full = 3 };

/* Kinds of ranges: where a target can lie, and how its kernels keep to it (docs/bounds.md). */
enum fmdn_range {
    fmdn_range_free = 0,
    fmdn_range_truncated = 1,
    fmdn_range_log_truncated = 2,
    fmdn_range_half_line = 3,
    fmdn_range_probit = 4,
    fmdn_range_log_probit = 5,
    fmdn_range_periodic = 6
};

/* Roles of rows; a positive role is the number of a fold. Member k (from 1) trains on all folds but
   number 1 + (k - 1) % (number of folds), which monitors it. */
enum fmdn_role { fmdn_weighting = 0, fmdn_monitor = -1, fmdn_training = -2 };

/* --- Files and words ------------------------------------------------------------------------- */

void fmdn_status_text(int code, int64_t n_text, char *text);
void fmdn_stop_text(int code, int64_t n_text, char *text);

/* Sizes of a committee in a model file: of layout, parameters and text; inputs, targets, kernels.
   Of several in a file the one called `name`; the first where n_name is 0. `detail` (200 characters
   are enough) says what is wrong with the file, and where. */
void fmdn_load_sizes(int64_t n_path, const char *path, int64_t n_name, const char *name,
    int64_t *sizes /* [6] */, int64_t n_detail, char *detail, int *status);

/* Read it into arrays of these sizes. A checkpoint with members missing is refused. */
void fmdn_load(int64_t n_path, const char *path, int64_t n_name, const char *name, int64_t n_layout,
    int64_t *layout, int64_t n_parameters, double *parameters, int64_t n_text, char *text,
    int64_t n_detail, char *detail, int *status);

/* Write a model file of one committee, whole or not at all. */
void fmdn_save(int64_t n_path, const char *path, int64_t n_layout, const int64_t *layout,
    int64_t n_parameters, const double *parameters, int64_t n_text, const char *text,
    int64_t n_detail, char *detail, int *status);

/* Write a committee file of the original Fortran package, which fmdn_load reads too; only of one
   target, with neither linear path nor prepared inputs (fmdn_not_legacy). */
void fmdn_legacy_write(int64_t n_path, const char *path, int64_t n_layout, const int64_t *layout,
    int64_t n_parameters, const double *parameters, int64_t n_detail, char *detail, int *status);

/* A table of numbers as text: its columns, rows, and the first line that holds a row; then the
   numbers, values [n_rows][n_columns]. `detail` says what was expected, and in which line. */
void fmdn_table_sizes(int64_t n_path, const char *path, int64_t *sizes /* [3] */, int64_t n_detail,
    char *detail, int *status);
void fmdn_table_read(int64_t n_path, const char *path, int64_t n_columns, int64_t n_rows,
    double *values, int64_t n_detail, char *detail, int *status);

/* Rows as text, 17 significant digits: 26 bytes a number, 1 more a row. */
void fmdn_table_format(int64_t n_columns, int64_t n_rows, const double *values, int64_t n_text,
    char *text, int *status);

/* --- Applying a committee -------------------------------------------------------------------- */

/* What it consists of: inputs, targets, members, kernels of all members, features (see
   fmdn_prepare_inputs); and for each member its covariance, kernels, linear path (0 or 1), hidden
   layers, units of all of them, number of parameters, parameters before its own; and its weight.
   With another n_members than its own (0, say), `sizes` alone is set. */
void fmdn_describe(int64_t n_layout, const int64_t *layout, int64_t n_parameters,
    const double *parameters, int64_t n_members, int64_t *sizes /* [5] */,
    int64_t *member_sizes /* [n_members][7] */, double *weights, int *status);

/* The posterior of each row of inputs [n_rows][n_inputs], a mixture of Gaussian kernels in physical
   units: weights [n_rows][n_kernels], which sum to 1; means [n_rows][n_kernels][n_targets]; and
   precision factors [n_rows][n_kernels][n_targets][n_targets]: the lower triangular L with
   L L' = inverse of the covariance, which is 1/sd where there is one target. An input that may be
   missing is NaN where it is. */
void fmdn_posterior(int64_t n_layout, const int64_t *layout, int64_t n_parameters,
    const double *parameters, int64_t n_inputs, int64_t n_rows, const double *inputs, int n_threads,
    int64_t n_targets, int64_t n_kernels, double *weights, double *means, double *factors,
    int *status);

/* log p(targets | inputs) of each row, in nats. */
void fmdn_log_density(int64_t n_layout, const int64_t *layout, int64_t n_parameters,
    const double *parameters, int64_t n_inputs, int64_t n_targets, int64_t n_rows,
    const double *inputs, const double *targets, int n_threads, double *log_p /* [n_rows] */,
    int *status);

/* Derivatives of the posterior means and standard deviations of each row with respect to its raw
   inputs, both [n_rows][n_targets][n_inputs]; 0 for inputs that are missing. */
void fmdn_moment_sensitivity(int64_t n_layout, const int64_t *layout, int64_t n_parameters,
    const double *parameters, int64_t n_inputs, int64_t n_rows, const double *inputs, int n_threads,
    int64_t n_targets, double *d_mean, double *d_sd, int *status);

/* The same of the kernels: of weights [n_rows][n_kernels][n_inputs], means
   [n_rows][n_kernels][n_targets][n_inputs] and covariances
   [n_rows][n_kernels][n_targets][n_targets][n_inputs]. */
void fmdn_kernel_sensitivity(int64_t n_layout, const int64_t *layout, int64_t n_parameters,
    const double *parameters, int64_t n_inputs, int64_t n_rows, const double *inputs, int n_threads,
    int64_t n_targets, int64_t n_kernels, double *d_weights, double *d_means, double *d_covariances,
    int *status);

/* --- Asking n mixtures, laid out as fmdn_posterior gives them -------------------------------- */

/* Weights, means and factors are those of the kernels. Where targets have ranges, the procedures
   need these too: n_ranges is n_targets (1 for a marginal), with kinds, low and high as
   fmdn_get_ranges gives them; or 0, and no target has one. What they give is in the targets'
   units. */

/* Ranges of a committee's targets, each [n_targets]: kinds (enum fmdn_range), and ends in the
   targets' units, -DBL_MAX and DBL_MAX where there is none. */
void fmdn_get_ranges(int64_t n_layout, const int64_t *layout, int64_t n_parameters,
    const double *parameters, int64_t n_targets, int *kinds, double *low, double *high,
    int *status);

/* log p, -DBL_MAX outside the ranges, at points [n_sets][n_points][n_targets]: the same for all
   mixtures (n_sets = 1), or its own for each (n_sets = n). log_p is [n][n_points]. */
void fmdn_mixture_log_density(int64_t n_targets, int64_t n_kernels, int64_t n, int64_t n_ranges,
    const int *kinds, const double *low, const double *high, const double *weights,
    const double *means, const double *factors, int64_t n_points, int64_t n_sets,
    const double *points, int n_threads, double *log_p, int *status);

/* Mean [n][n_targets] and covariance [n][n_targets][n_targets] of each mixture. */
void fmdn_mixture_moments(int64_t n_targets, int64_t n_kernels, int64_t n, int64_t n_ranges,
    const int *kinds, const double *low, const double *high, const double *weights,
    const double *means, const double *factors, double *mean, double *covariance, int *status);

/* The mean of ((target - centre)/scale)^order, centre, scale and moments being [n][n_targets]. */
void fmdn_mixture_moments_about(int64_t n_targets, int64_t n_kernels, int64_t n, int64_t n_ranges,
    const int *kinds, const double *low, const double *high, const double *weights,
    const double *means, const double *factors, int order, const double *centre,
    const double *scale, double *moments, int *status);

/* Modes [n][n_modes][n_targets], up to n_modes of them, highest first, and log p there,
   [n][n_modes]: -DBL_MAX where there are no more. */
void fmdn_mixture_modes(int64_t n_targets, int64_t n_kernels, int64_t n, int64_t n_ranges,
    const int *kinds, const double *low, const double *high, const double *weights,
    const double *means, const double *factors, int64_t n_modes, int n_threads, double *modes,
    double *heights, int *status);

/* Covariances [n][n_kernels][n_targets][n_targets] of the kernels. */
void fmdn_mixture_covariances(int64_t n_targets, int64_t n_kernels, int64_t n,
    const double *factors, double *covariances, int *status);

/* Samples [n][n_samples][n_targets]; sample j of mixture i depends on (seed, i, j) alone. */
void fmdn_mixture_sample(int64_t n_targets, int64_t n_kernels, int64_t n, int64_t n_ranges,
    const int *kinds, const double *low, const double *high, const double *weights,
    const double *means, const double *factors, int64_t seed, int64_t n_samples, double *samples,
    int *status);

/* One target, counted from 1, by itself: its kernels' means and 1/sd, both [n][n_kernels], for the
   two procedures that follow. (With one target the mixtures are that already.) */
void fmdn_mixture_marginal(int64_t n_targets, int64_t n_kernels, int64_t n, const double *means,
    const double *factors, int target, double *marginal_means, double *precisions, int *status);

/* Probability below (above, unless that is 0) the points [n_sets][n_points]: p is [n][n_points]. */
void fmdn_mixture_cdf(int64_t n_kernels, int64_t n, int64_t n_ranges, const int *kinds,
    const double *low, const double *high, const double *weights, const double *means,
    const double *factors, int64_t n_points, int64_t n_sets, const double *points, int above,
    int n_threads, double *p, int *status);

/* Values below which the probability is that of probabilities [n_points]: [n][n_points]. */
void fmdn_mixture_quantile(int64_t n_kernels, int64_t n, int64_t n_ranges, const int *kinds,
    const double *low, const double *high, const double *weights, const double *means,
    const double *factors, int64_t n_points, const double *probabilities, int n_threads,
    double *quantiles, int *status);

/* --- Recalibration ---------------------------------------------------------------------------- */

/* An increasing map of normal scores that makes the coverage of one target's posteriors right: at
   n_knots knots scores[i] becomes normal[i]. fmdn_find_block, "recalibration", says where a
   committee has them: the scores, then what they become. The rest asks n mixtures of one target,
   recalibrated, as the procedures above ask them as they are. */

/* The committee with another map (with none: no knot, or one that changes nothing), in arrays with
   room for n_layout + 7 and n_parameters + 2 n_knots numbers; `sizes`: the lengths used. */
void fmdn_change_recalibration(int64_t n_layout, const int64_t *layout, int64_t n_parameters,
    const double *parameters, int64_t n_knots, const double *scores, const double *normal,
    int64_t n_longer, int64_t *longer, int64_t n_more, double *more, int64_t *sizes /* [2] */,
    int *status);

/* What scores z [n] become, g [n], and the map's slopes; or (back: not 0) the z that becomes g. */
void fmdn_map_scores(int64_t n_knots, const double *scores, const double *normal, int back,
    int64_t n, double *z, double *g, double *slopes, int *status);

/* log p [n][n_points] at points [n_sets][n_points]. */
void fmdn_recalibrated_log_density(int64_t n_knots, const double *scores, const double *normal,
    int64_t n_kernels, int64_t n, int64_t n_ranges, const int *kinds, const double *low,
    const double *high, const double *weights, const double *means, const double *factors,
    int64_t n_points, int64_t n_sets, const double *points, int n_threads, double *log_p,
    int *status);

/* Probability below (above, unless that is 0) the points: p is [n][n_points]. */
void fmdn_recalibrated_cdf(int64_t n_knots, const double *scores, const double *normal,
    int64_t n_kernels, int64_t n, int64_t n_ranges, const int *kinds, const double *low,
    const double *high, const double *weights, const double *means, const double *factors,
    int64_t n_points, int64_t n_sets, const double *points, int above, int n_threads, double *p,
    int *status);

/* Values below which the probability is that of probabilities [n_sets][n_points]: [n][n_points]. */
void fmdn_recalibrated_quantile(int64_t n_knots, const double *scores, const double *normal,
    int64_t n_kernels, int64_t n, int64_t n_ranges, const int *kinds, const double *low,
    const double *high, const double *weights, const double *means, const double *factors,
    int64_t n_points, int64_t n_sets, const double *probabilities, int n_threads, double *quantiles,
    int *status);

/* Mean and variance of each mixture, both [n]. */
void fmdn_recalibrated_moments(int64_t n_knots, const double *scores, const double *normal,
    int64_t n_kernels, int64_t n, int64_t n_ranges, const int *kinds, const double *low,
    const double *high, const double *weights, const double *means, const double *factors,
    int n_threads, double *mean, double *variance, int *status);

/* Samples [n][n_samples]; sample j of mixture i depends on (seed, i, j) alone. */
void fmdn_recalibrated_sample(int64_t n_knots, const double *scores, const double *normal,
    int64_t n_kernels, int64_t n, int64_t n_ranges, const int *kinds, const double *low,
    const double *high, const double *weights, const double *means, const double *factors,
    int64_t seed, int64_t n_samples, int n_threads, double *samples, int *status);

/* --- Training -------------------------------------------------------------------------------- */

/* Draw a committee's sizes, uniformly between two bounds for each of n_layers hidden layers and for
   the kernels, and lay it out. With n_layout = 0 only `sizes` is set: lengths of layout and
   parameters. Then call it again with a layout of that length. The parameters begin as zeros.
   n_groups is 0, or n_inputs where inputs may be missing: then `groups` has the group of each,
   from 1 without gaps, or 0. The first n_projected inputs are projected on n_components; 0, 0. */
void fmdn_plan_committee(int64_t seed, int n_inputs, int n_targets, int n_members, int64_t n_layers,
    const int *hidden_low, const int *hidden_high, int kernels_low, int kernels_high,
    int covariance, int linear_path, int64_t n_groups, const int *groups, int n_projected,
    int n_components, int64_t n_layout, int64_t *layout, int64_t *sizes /* [2] */, int *status);

/* Give it the ranges of its targets, not all fmdn_range_free, in arrays that are longer:
   n_longer is n_layout + 7 + n_targets, n_more is n_parameters + 2 n_targets. */
void fmdn_add_ranges(int64_t n_layout, const int64_t *layout, int64_t n_parameters,
    const double *parameters, int64_t n_targets, const int *kinds, const double *low,
    const double *high, int64_t n_longer, int64_t *longer, int64_t n_more, double *more,
    int *status);

/* Let it see bent inputs, and in pieces. Call it once with n_longer = 0 for the sizes. */
void fmdn_add_knots(int in_pieces, int64_t n_layout, const int64_t *layout, int64_t n_parameters,
    const double *parameters, int64_t n_longer, int64_t *longer, int64_t n_more, double *more,
    int64_t *sizes /* [2] */, int *status);

/* Train it on rows of inputs [n_rows][n_inputs] and targets [n_rows][n_targets]: one tenth of the
   rows weighs the members, another tenth of the rest monitors each of them. A member makes at most
   max_iter iterations, and stops after `patience` of them without a better monitor loss (0: never).
   The same seed gives the same bits on any number of threads. Members that fail are left out, so
   that less of the arrays may be used than planned: `sizes` says how much. Inputs that may be
   missing or are projected are for training step by step. Another thread that raises the 0 at
   `interrupt` ends the training: finished members are the committee; fmdn_interrupted. */
void fmdn_fit_committee(int64_t n_layout, int64_t *layout, int64_t n_parameters, double *parameters,
    int64_t n_inputs, int64_t n_targets, int64_t n_rows, const double *inputs,
    const double *targets, int64_t seed, int max_iter, int patience, int n_threads,
    int64_t *interrupt, int64_t *sizes /* [2] */, int *status);

/* --- Training step by step ------------------------------------------------------------------- */
/* What fmdn_fit_committee consists of, for other splits, weights of rows [n_rows], noise drawn for
   every member (sd noise_sd [n_inputs]), members in different processes, and progress. */

/* Roles of rows, by groups 1 to n_groups. Without weighting (0), or folds (0), the rest trains. */
void fmdn_split_rows(int64_t n_rows, const int64_t *groups, int64_t n_groups, int64_t seed,
    int with_weighting, int with_folds, int *roles, int *status);

/* Features [n_rows][n_features] of raw inputs, where some may be missing or are projected: rows of
   such a committee hold these. Centres and axes have to be in its parameters by then. */
void fmdn_prepare_inputs(int64_t n_layout, const int64_t *layout, int64_t n_parameters,
    const double *parameters, int64_t n_inputs, int64_t n_rows, const double *inputs, int n_threads,
    int64_t n_features, double *features, int *status);

/* Where the first block of that name lies (docs/file-format.md has the blocks): numbers of the
   layout before its first integer, integers, parameters before its first real, reals; zeros where
   there is none, or no layout. */
void fmdn_find_block(int64_t n_layout, const int64_t *layout, int64_t n_name, const char *name,
    int64_t *place /* [4] */);

/* Targets [n_rows][n_targets] as their kernels see them, in place (back: not 0 for the way back).
   Not for training: rows hold targets in their own units. */
void fmdn_map_targets(int64_t n_targets, const int *kinds, const double *low, const double *high,
    int back, int64_t n_rows, double *targets, int *status);

/* Write the scales that the rows ask for into a planned committee. */
void fmdn_fit_scales(int64_t n_layout, const int64_t *layout, int64_t n_parameters,
    double *parameters, int64_t n_inputs, int64_t n_targets, int64_t n_rows, const double *inputs,
    const double *targets, const double *weights, const int *roles, const double *noise_sd,
    int *status);

/* Train the members first to last, counted from 1, with the same bits in one call as in several.
   history [n_members][n_lines][6] has a line for the start and for each iteration, n_lines is
   max_iter + 1: training loss, monitor loss, gradient norm, step, evaluations, seconds. outcome
   [n_members][3], 0 at first, has why it stopped (enum fmdn_stopped), iterations, the best of them;
   other threads may look at both meanwhile, and raise `interrupt`. A plain run has decay 0, memory
   10 and first_stride 1: `decay`/rows times the sum of the squared weights is added to the loss,
   `memory` is L-BFGS's, and training begins on one tile of rows in `first_stride` (1, 4, 16...). */
void fmdn_train_members(int64_t n_layout, const int64_t *layout, int64_t n_parameters,
    double *parameters, int64_t n_inputs, int64_t n_targets, int64_t n_rows, const double *inputs,
    const double *targets, const double *weights, const int *roles, const double *noise_sd,
    int64_t seed, int first, int last, int max_iter, int patience, double decay, int memory,
    int first_stride, int n_threads, int64_t *interrupt, int64_t n_lines, int64_t n_members,
    double *history, int64_t *outcome, int *status);

/* The committee of the members with keep [n_members] other than 0, into arrays as long as the old
   ones; `sizes`: the lengths used. */
void fmdn_select_members(int64_t n_layout, const int64_t *layout, int64_t n_parameters,
    const double *parameters, int64_t n_members, const int *keep, int64_t *new_layout,
    double *new_parameters, int64_t *sizes /* [2] */, int *status);

/* Weigh the members by their mean losses on the rows that weigh, or where `stacked` is not 0 by
   the score of their mixture there; these losses, in nats. */
void fmdn_weigh_members(int64_t n_layout, const int64_t *layout, int64_t n_parameters,
    double *parameters, int64_t n_inputs, int64_t n_targets, int64_t n_rows, const double *inputs,
    const double *targets, const double *weights, const int *roles, const double *noise_sd,
    int64_t seed, int stacked, int n_threads, int64_t n_members, double *losses, int *status);

/* Mean loss of one member, counted from 1, and its gradient [its number of parameters], in
   standardised units. */
void fmdn_loss_gradient(int64_t n_layout, const int64_t *layout, int64_t n_parameters,
    const double *parameters, int member, int64_t n_inputs, int64_t n_targets, int64_t n_rows,
    const double *inputs, const double *targets, const double *weights, int n_threads,
    int64_t n_gradient, double *gradient, double *loss, int *status);

/* --- Files of several committees ------------------------------------------------------------- */

/* Number of committees in a model file, and the summed lengths of their names, layouts, parameters
   and texts. */
void fmdn_file_sizes(int64_t n_path, const char *path, int64_t *sizes /* [5] */, int64_t n_detail,
    char *detail, int *status);

/* All of them, one behind the other; entry_sizes [n_entries][4]: lengths of name, layout,
   parameters and text of each. A committee called "checkpoint" is one that Python was training. */
void fmdn_file_read(int64_t n_path, const char *path, int64_t n_entries, int64_t *entry_sizes,
    int64_t n_names, char *names, int64_t n_layout, int64_t *layout, int64_t n_parameters,
    double *parameters, int64_t n_text, char *text, int64_t n_detail, char *detail, int *status);

/* Write them so, whole or not at all. */
void fmdn_file_write(int64_t n_path, const char *path, int64_t n_entries,
    const int64_t *entry_sizes, int64_t n_names, const char *names, int64_t n_layout,
    const int64_t *layout, int64_t n_parameters, const double *parameters, int64_t n_text,
    const char *text, int64_t n_detail, char *detail, int *status);

#ifdef __cplusplus
}
#endif

#endif
