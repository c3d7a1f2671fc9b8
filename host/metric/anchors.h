/* Anchors of a detector: the boxes that its codes are relative to, in the order of its outputs: map
 * by map, row by row, column by column, then the shapes of a cell.
 *
 *   SSD: centre ((row + 0.5) / rows, (column + 0.5) / columns); scale s of map k of K evenly from
 *     the least to the most; per ratio r, in the order given, height s / sqrt(r), width s *
 * sqrt(r); then a square of sqrt(s_k * s_k+1), where 1 follows the last scale. (TensorFlow's Object
 *     Detection API, create_ssd_anchors.)
 *   Multiscale: base = anchor_scale * 2^level pixels; ratio by ratio, in each the octaves o of n:
 *     height base * 2^(o/n) / sqrt(r), width base * 2^(o/n) * sqrt(r); centre row * stride +
 * offset, where the offset is half a stride if that divides the image's side, else 0. (Its
 * multiscale grid, as RetinaNet and FPNLite have it.) */
#ifndef WAIO_METRIC_ANCHORS_H
#define WAIO_METRIC_ANCHORS_H

#include "tensor/detector.h"
#include "util/arena.h"
#include "util/status.h"

/* (count, 4) in `arena`: centre y, centre x, height, width. */
waio_status waio_anchors_make(const float **out, const waio_anchor_plan *plan, waio_arena *arena);

#endif
