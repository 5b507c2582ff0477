/* The part of fmdn.h that is about recalibration; include fmdn.h. */
#ifndef FMDN_RECALIBRATION_H
#define FMDN_RECALIBRATION_H

/* An increasing map of normal scores that makes the coverage of one target's posteriors right: at
   n_knots knots scores[i] becomes normal[i]. fmdn_find_block, "recalibration", says where a
   committee has them: the scores, then what they become. The rest asks n mixtures of one target,
   recalibrated, as the procedures above ask them as they are. */

/* The committee with another map (with none: no knot, or one that changes nothing), in arrays with
   room for n_layout + 7 and n_parameters + 2 n_knots numbers; `sizes`: the lengths used. */
void fmdn_change_recalibration(int64_t n_layout, const int64_t *layout, int64_t n_parameters,
                               const double *parameters, int64_t n_knots, const double *scores,
                               const double *normal, int64_t n_longer, int64_t *longer,
                               int64_t n_more, double *more, int64_t *sizes /* [2] */, int *status);

/* What scores z [n] become, g [n], and the map's slopes; or (back: not 0) the z that becomes g. */
void fmdn_map_scores(int64_t n_knots, const double *scores, const double *normal, int back,
                     int64_t n, double *z, double *g, double *slopes, int *status);

/* log p [n][n_points] at points [n_sets][n_points]. */
void fmdn_recalibrated_log_density(int64_t n_knots, const double *scores, const double *normal,
                                   int64_t n_kernels, int64_t n, int64_t n_ranges, const int *kinds,
                                   const double *low, const double *high, const double *weights,
                                   const double *means, const double *factors, int64_t n_points,
                                   int64_t n_sets, const double *points, int n_threads,
                                   double *log_p, int *status);

/* Probability below (above, unless that is 0) the points: p is [n][n_points]. */
void fmdn_recalibrated_cdf(int64_t n_knots, const double *scores, const double *normal,
                           int64_t n_kernels, int64_t n, int64_t n_ranges, const int *kinds,
                           const double *low, const double *high, const double *weights,
                           const double *means, const double *factors, int64_t n_points,
                           int64_t n_sets, const double *points, int above, int n_threads,
                           double *p, int *status);

/* Values below which the probability is that of probabilities [n_sets][n_points]: [n][n_points]. */
void fmdn_recalibrated_quantile(int64_t n_knots, const double *scores, const double *normal,
                                int64_t n_kernels, int64_t n, int64_t n_ranges, const int *kinds,
                                const double *low, const double *high, const double *weights,
                                const double *means, const double *factors, int64_t n_points,
                                int64_t n_sets, const double *probabilities, int n_threads,
                                double *quantiles, int *status);

/* Mean and variance of each mixture, both [n]. */
void fmdn_recalibrated_moments(int64_t n_knots, const double *scores, const double *normal,
                               int64_t n_kernels, int64_t n, int64_t n_ranges, const int *kinds,
                               const double *low, const double *high, const double *weights,
                               const double *means, const double *factors, int n_threads,
                               double *mean, double *variance, int *status);

/* Samples [n][n_samples]; sample j of mixture i depends on (seed, i, j) alone. */
void fmdn_recalibrated_sample(int64_t n_knots, const double *scores, const double *normal,
                              int64_t n_kernels, int64_t n, int64_t n_ranges, const int *kinds,
                              const double *low, const double *high, const double *weights,
                              const double *means, const double *factors, int64_t seed,
                              int64_t n_samples, int n_threads, double *samples, int *status);

#endif
