//! What sampling needs beside the steps that lesson 13 writes: orders, sums and errors. Plain numbers alone: no tensor, no
//! model.

use std::error::Error;
use std::fmt;

/// Why no token can be chosen: scores that are no numbers, settings that make no sense, a prompt that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GenerateError(pub String);

impl fmt::Display for GenerateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for GenerateError {}

/// The indices of some numbers, from the largest number to the smallest; of equal ones the first comes first.
#[must_use]
pub fn most_probable(numbers: &[f32]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..numbers.len()).collect();
    order.sort_by(|&a, &b| numbers[b].total_cmp(&numbers[a]));
    order
}

/// Makes all probabilities 0 but those at `kept`, which sum to 1 again.
pub fn keep(probabilities: &mut [f32], kept: &[usize]) {
    let sum: f32 = kept.iter().map(|&id| probabilities[id]).sum();
    let stays: Vec<(usize, f32)> = kept.iter().map(|&id| (id, probabilities[id] / sum)).collect();
    probabilities.fill(0.0);
    stays.into_iter().for_each(|(id, probability)| probabilities[id] = probability);
}

/// Among how many equally likely choices one is as uncertain as with these probabilities: e to their entropy.
#[must_use]
pub fn equal_choices(probabilities: &[f32]) -> f32 {
    let entropy: f32 = probabilities.iter().filter(|&&p| p > 0.0).map(|p| -p * p.ln()).sum();
    entropy.exp()
}

/// Whether a token can be drawn with these settings.
///
/// # Errors
/// Names the setting that makes no sense, and what it may be.
pub fn check_settings(
    temperature: f32,
    top_k: Option<usize>,
    top_p: f32,
    penalty: f32,
) -> Result<(), GenerateError> {
    let message = if !(temperature.is_finite() && temperature >= 0.0) {
        format!("a temperature of {temperature} is impossible: choose 0 or more")
    } else if top_k == Some(0) {
        "a top-k of 0 leaves no token: choose 1 or more".into()
    } else if !(top_p > 0.0 && top_p <= 1.0) {
        format!("a top-p of {top_p} is impossible: choose more than 0 and at most 1")
    } else if !(penalty.is_finite() && penalty > 0.0) {
        format!(
            "a repetition penalty of {penalty} is impossible: choose more than 0; 1 changes nothing"
        )
    } else {
        return Ok(());
    };
    Err(GenerateError(message))
}

/// Logits may be -inf, for tokens that must not be chosen; but each must be a number, and one of them finite.
///
/// # Errors
/// Names the first logit that is NaN or infinite.
pub fn check_logits(logits: &[f32]) -> Result<(), GenerateError> {
    if let Some(id) = logits.iter().position(|logit| logit.is_nan() || *logit == f32::INFINITY) {
        let message =
            format!("the logit of token {id} is {}: has the training diverged?", logits[id]);
        return Err(GenerateError(message));
    }
    if logits.iter().all(|logit| *logit == f32::NEG_INFINITY) {
        let message =
            format!("no token can be chosen: each of the {} logits is -inf", logits.len());
        return Err(GenerateError(message));
    }
    Ok(())
}

/// Whether all ids are tokens of the vocabulary.
///
/// # Errors
/// Names the first id that is none, and its place.
pub fn check_ids(ids: &[u32], vocabulary: usize) -> Result<(), GenerateError> {
    let Some(place) = ids.iter().position(|&id| id as usize >= vocabulary) else { return Ok(()) };
    Err(GenerateError(format!(
        "id {} at index {place} is not in the vocabulary of {vocabulary} tokens: was the text encoded by another tokenizer?",
        ids[place]
    )))
}

/// Whether a prompt can be continued: it has a token, and only tokens of the vocabulary.
///
/// # Errors
/// Says which of the two it lacks.
pub fn check_prompt(prompt: &[u32], vocabulary: usize) -> Result<(), GenerateError> {
    if prompt.is_empty() {
        let message = "the prompt is empty: the model needs at least one token to continue";
        return Err(GenerateError(message.into()));
    }
    check_ids(prompt, vocabulary)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_that_of_the_numbers_and_equal_ones_stay_in_place() {
        assert_eq!(most_probable(&[0.2, 0.5, 0.2, 0.1]), [1, 0, 2, 3]);
        assert_eq!(most_probable(&[f32::NEG_INFINITY, 0.0]), [1, 0]);
    }

    #[test]
    fn what_is_kept_sums_to_one() {
        let mut probabilities = [0.5, 0.25, 0.25];
        keep(&mut probabilities, &[2, 0]);
        assert_eq!(probabilities, [2.0 / 3.0, 0.0, 1.0 / 3.0]);
        assert!((equal_choices(&[0.5, 0.5, 0.0]) - 2.0).abs() < 1e-6);
    }

    #[test]
    fn a_setting_that_makes_no_sense_is_named() {
        for (error, named) in [
            (check_settings(-1.0, None, 1.0, 1.0), "temperature of -1"),
            (check_settings(f32::NAN, None, 1.0, 1.0), "temperature of NaN"),
            (check_settings(1.0, Some(0), 1.0, 1.0), "top-k of 0"),
            (check_settings(1.0, None, 0.0, 1.0), "top-p of 0"),
            (check_settings(1.0, None, 1.5, 1.0), "top-p of 1.5"),
            (check_settings(1.0, None, f32::NAN, 1.0), "top-p of NaN"),
            (check_settings(1.0, None, 1.0, 0.0), "penalty of 0"),
            (check_settings(1.0, None, 1.0, f32::INFINITY), "penalty of inf"),
            (check_logits(&[0.0, f32::NAN]), "token 1 is NaN"),
            (check_logits(&[f32::INFINITY]), "token 0 is inf"),
            (check_logits(&[f32::NEG_INFINITY; 3]), "each of the 3 logits"),
            (check_ids(&[1, 9], 4), "id 9 at index 1 is not in the vocabulary of 4"),
            (check_prompt(&[], 4), "prompt is empty"),
            (check_prompt(&[4], 4), "id 4 at index 0"),
        ] {
            let message = error.map_or_else(|error| error.to_string(), |()| "accepted".into());
            assert!(message.contains(named), "{named}: {message}");
        }
        assert_eq!(check_settings(0.0, Some(1), 1.0, 1.0), Ok(()));
        assert_eq!(check_logits(&[f32::NEG_INFINITY, 0.0]), Ok(()));
        assert_eq!(check_prompt(&[3], 4), Ok(()));
    }
}
