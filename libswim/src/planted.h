/* planted.h - faults on purpose, so that a test can show that the simulator finds them.
 *
 * SWIM__PLANTED(X) is the constant false, which leaves nothing in the object, except in the copy of
 * the core that tests/sim/planted_swim.c is built with. */
#pragma once

enum swim__planted {
    SWIM__NO_FAULT = 0,
    SWIM__NO_REFUTE,               /* who is suspected says nothing (SWIM 4.2) */
    SWIM__INCARNATION_NOT_RAISED,  /* it refutes with the incarnation that was accused */
    SWIM__SUSPICION_NOT_CONFIRMED, /* witnesses do not shorten a suspicion (Lifeguard IV-B) */
    SWIM__SUSPICION_ENDLESS,       /* nobody suspected is ever declared dead */
    SWIM__RETRANSMIT_TOO_FEW,      /* a tenth of the sends that reach everybody (SWIM 4.1) */
    SWIM__RETRANSMIT_TOO_MANY,     /* eight times as many */
    SWIM__RESURRECTED_BY_SYNC,     /* a full sync brings the dead back at their old incarnation */
    SWIM__ALIVE_NOT_NEWER,         /* alive overrides suspect and dead of its own incarnation */
    SWIM__OLD_ACCUSATION,          /* what was refuted is believed when it comes again */
    SWIM__ACK_BY_ADDRESS,          /* an ack counts by its sender, whatever its number */
    SWIM__NO_HELPERS,              /* no indirect probes (SWIM 3.1) */
    SWIM__HELPERS_BY_LUCK,         /* few draws for helpers, also in small pools */
    SWIM__HEALTH_IGNORED,          /* our own bad health changes nothing (Lifeguard IV-A) */
    SWIM__PAUSE_IGNORED,           /* who was stopped blames the others; and the next: */
    SWIM__SILENCE_IGNORED,         /* who hears nobody at all declares them all dead */
    SWIM__SILENT_LEFT_ALONE,       /* who does not answer is not asked again */
    SWIM__UPDATES_FIRST,           /* no room in a datagram is kept for events */
    SWIM__EVENT_AGAIN,             /* an event that comes again is given again */
    SWIM__DEATH_UNTOLD,            /* who is alive but held dead is not told so */
    SWIM__NEVER_RECONNECTS,        /* failed members are not tried again */
    SWIM__NEVER_REAPED,            /* who left or failed stays on record */
    SWIM__FAREWELL_UNHEARD,        /* who says that it is dead counts as failed */
    SWIM__N_PLANTED
};

#ifdef SWIM_PLANTED_FAULTS
extern enum swim__planted swim__planted;
#define SWIM__PLANTED(fault) (swim__planted == SWIM__##fault)
#else
#define SWIM__PLANTED(fault) false
#endif
