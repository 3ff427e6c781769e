//! Questions that go to everybody (mDNS, LLMNR): whoever knows answers, to everybody or to who asked, and need not repeat the question.

use super::{DnsQuery, Names, QuestionKey};
use connmon_record::LookupAnswer;
use connmon_record::frame::{DnsMessage, Observation};

impl Names {
    /// Takes in an answer. What nobody here asked for is not believed.
    pub(super) fn multicast(&mut self, message: &DnsMessage, observation: &Observation) {
        let flow = observation.flow;
        let is_meant = |question: &QuestionKey| {
            let asked = &question.flow;
            asked.remote.ip().is_multicast()
                && (asked.proto, asked.netns, asked.local_port, asked.remote.port())
                    == (flow.proto, flow.netns, flow.local_port, flow.remote.port())
        };
        let is_answer = |question: &QuestionKey, answer: &LookupAnswer| {
            answer.name == question.name && (answer.kind == question.kind || question.kind == "ANY")
        };
        let answered = |question: &&QuestionKey| {
            is_meant(question) && message.answers.iter().any(|answer| is_answer(question, answer))
        };
        let questions: Vec<QuestionKey> = self.questions.keys().filter(answered).cloned().collect();
        for question in questions {
            let Some((time_ns, process)) = self.answered(&question) else { continue };
            let (flow, id, name, kind) = (question.flow, question.id, question.name, question.kind);
            let message = DnsMessage { id, name, kind, ..message.clone() };
            self.learn(&message, flow.netns, observation.time_ns, process);
            self.asked.push(DnsQuery {
                time_ns,
                answered_ns: Some(observation.time_ns),
                process,
                flow,
                message,
            });
        }
    }
}
