import keras
import tensorflow_transform as tft

from components.transform import preprocessing


def preprocessing_fn(inputs, custom_config):
    tokens = preprocessing.preprocessing_fn(inputs, custom_config)['tokens']
    # A sparse tensor: a missing value stays missing, and the model gets 0, the mean.
    stars = tft.scale_to_z_score(inputs['stars'])
    return {'tokens': tokens, 'scaled_stars': stars}


def build_model(hparams):
    tokens = keras.Input([hparams['max_tokens']], dtype='int32', name='tokens')
    stars = keras.Input([1], name='scaled_stars')
    vectors = keras.layers.Embedding(hparams['vocab_size'], 16, mask_zero=True)(tokens)
    summary = keras.layers.GlobalAveragePooling1D()(vectors)
    hidden = keras.layers.Dense(16, 'relu')(keras.layers.Concatenate()([summary, stars]))
    return keras.Model([tokens, stars], keras.layers.Dense(1)(hidden))
