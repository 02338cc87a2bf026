/*-------------------------------------------------------------------------
 *
 * timer_signal.h
 *	  Tells nudge.run_timers of actions and of changes of users.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NUDGE_TIMER_SIGNAL_H
#define NUDGE_TIMER_SIGNAL_H

#include "postgres.h"

#include "evaluate.h"
#include "rules.h"

/* What a statement appends to nudge.timer_signals, opened at first use */
typedef struct TimerSignals TimerSignals;

/* Lives in the current context. */
extern TimerSignals *timer_signals_open(const Rules *rules);
extern void timer_signals_close(TimerSignals *signals);

/*
 * When the schedule of a rule is due next for the user of the action in hand, as
 * far as can be said; false where it is not due.
 */
extern bool timer_next_due(Evaluator *evaluator, const Rule *rule, TimestampTz *due);

/* An action has been recorded. */
extern void timer_signals_action(TimerSignals *signals, const Action *action);

#endif							/* NUDGE_TIMER_SIGNAL_H */
